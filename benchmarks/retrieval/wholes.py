"""Networks of the zoo that hold another's backbone, as their publishers' configurations say.

They are made from the defaults of their configurations, which name the backbone or give its depths
and widths.
"""

from __future__ import annotations

_RESNET = ("resnet50", "transformers/resnet-50")
_VIT = ("vit_b_16", "transformers/vit-base")
WHOLES: dict[str, tuple[str, ...]] = {  # the larger network → the zoo's entries of what it holds
    "transformers/detr-resnet-50": _RESNET,
    "transformers/table-transformer": _RESNET,
    "transformers/conditional-detr-resnet-50": _RESNET,
    "transformers/dab-detr-resnet-50": _RESNET,
    "transformers/upernet": _RESNET,
    "transformers/rt-detr-r50": ("timm/resnet50d",),
    "transformers/maskformer-swin-base": ("swin_b",),
    "transformers/mask2former-swin-small": ("swin_s", "transformers/swin-small"),
    "transformers/clap-htsat-tiny": ("swin_t", "transformers/swin-tiny"),
    "transformers/deeplabv3-mobilenet-v2": ("mobilenet_v2", "transformers/mobilenet-v2"),
    "transformers/deeplabv3-mobilevit": ("timm/mobilevit_s", "transformers/mobilevit-small"),
    "transformers/depth-anything-small": ("transformers/dinov2-small",),
    "transformers/rf-detr": ("transformers/dinov2-small",),
    "transformers/dpt-base": _VIT,
    "transformers/yolos-base": _VIT,
    "transformers/dpt-large": ("vit_l_16", "transformers/vit-large"),
    "transformers/beit-upernet": ("timm/beit_base_patch16_224", "transformers/beit-base"),
    "transformers/align-base": ("efficientnet_b7", "transformers/bert-base"),
    "transformers/chinese-clip-vit-base-16": ("transformers/bert-base",),
    "transformers/visualbert": ("transformers/bert-base",),
    "transformers/lxmert-base": ("transformers/bert-base",),
}
