"""Models of pictures, sound, and several kinds at once: designs of transformers and their sizes.

``_zoo_families.py`` says what a family is, ``_zoo_designs.py`` how a table is read.
"""

from __future__ import annotations

from _zoo_designs import Design

IMAGE = "pixel_values:1x3x{image_size}x{image_size}"
AT_224 = "pixel_values:1x3x224x224"
AT_256 = "pixel_values:1x3x256x256"
AT_512 = "pixel_values:1x3x512x512"
AT_640 = "pixel_values:1x3x640x640"
SECOND = "input_values:1x16000"  # of sound at 16 kHz
TEXT = "input_ids:1x64"
PAIR = f"{TEXT} {AT_224}"
WIDTHS = "hidden_size num_hidden_layers num_attention_heads intermediate_size"
CLIP = " ".join(f"{part}_config.{width}" for part in ("vision", "text") for width in WIDTHS.split())
WHISPER = (
    "num_mel_bins d_model encoder_layers decoder_layers encoder_attention_heads"
    " decoder_attention_heads encoder_ffn_dim decoder_ffn_dim"
)
SWIN = "embed_dim depths num_heads"
LARGE_SPEECH = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}

MEDIA = (
    # pictures: the designs that torchvision or timm have, too, as another package writes them
    Design("vit", "ViTForImageClassification", AT_224, WIDTHS, """
        vit-base 768 12 12 3072
        vit-large 1024 24 16 4096
    """),
    Design("vit", "ViTMAEModel", AT_224, "", "vit-mae-base"),
    Design("vit", "ViTMSNModel", AT_224, "", "vit-msn-base"),
    Design("vit", "IJepaModel", AT_224, "", "ijepa-base"),
    Design("vit", "Dinov2Model", AT_224, "hidden_size num_hidden_layers num_attention_heads", """
        dinov2-small 384 12 6
        dinov2-base 768 12 12
        dinov2-large 1024 24 16
    """),
    Design("vit", "Dinov2Model", AT_224, "hidden_size num_hidden_layers num_attention_heads", """
        dinov2-giant 1536 40 24
    """, {"use_swiglu_ffn": True}),
    Design("vit", "Dinov2WithRegistersModel", AT_224, "", "dinov2-registers-base"),
    Design("beit", "BeitForImageClassification", AT_224, "", "beit-base"),
    Design("resnet", "ResNetForImageClassification", AT_256, "depths layer_type hidden_sizes", """
        resnet-18 [2,2,2,2] basic [64,128,256,512]
        resnet-50 [3,4,6,3] bottleneck [256,512,1024,2048]
        resnet-101 [3,4,23,3] bottleneck [256,512,1024,2048]
    """),
    Design("resnet_v2", "BitForImageClassification", AT_256, "", "bit-50"),
    Design("regnet_y", "RegNetForImageClassification", AT_256, "", "regnet-y-040"),
    Design("convnext", "ConvNextForImageClassification", AT_256, "", "convnext-tiny"),
    Design("convnext_v2", "ConvNextV2ForImageClassification", AT_256, "", "convnextv2-tiny"),
    Design("mobilenet_v1", "MobileNetV1ForImageClassification", AT_256, "", "mobilenet-v1"),
    Design("mobilenet_v2", "MobileNetV2ForImageClassification", AT_256, "", "mobilenet-v2"),
    Design("mobilevit", "MobileViTForImageClassification", AT_256, "", "mobilevit-small"),
    Design("mobilevit_v2", "MobileViTV2ForImageClassification", AT_256, "", "mobilevitv2-1.0"),
    Design("efficientnet", "EfficientNetForImageClassification", AT_256,
           "width_coefficient depth_coefficient hidden_dim", """
        efficientnet-b0 1.0 1.0 1280
        efficientnet-b3 1.2 1.4 1536
    """),
    Design("swin", "SwinForImageClassification", AT_224, SWIN, """
        swin-tiny 96 [2,2,6,2] [3,6,12,24]
        swin-small 96 [2,2,18,2] [3,6,12,24]
    """),
    Design("focalnet", "FocalNetForImageClassification", AT_224, "", "focalnet-tiny"),
    Design("levit", "LevitForImageClassification", AT_224, "", "levit-128s"),
    Design("poolformer", "PoolFormerForImageClassification", AT_224, "", "poolformer-s12"),
    Design("pvt_v2", "PvtV2ForImageClassification", AT_224, "", "pvt-v2-b0"),
    Design("hiera", "HieraForImageClassification", AT_224, "", "hiera-base"),
    Design("swiftformer", "SwiftFormerForImageClassification", AT_224, "", "swiftformer-xs"),
    Design("hgnet_v2", "HGNetV2Backbone", AT_256, "", "hgnet-v2"),
    # pictures: designs of their own
    Design("pvt", "PvtForImageClassification", AT_224, "depths", """
        pvt-tiny [2,2,2,2]
        pvt-small [3,4,6,3]
        pvt-medium [3,4,18,3]
        pvt-large [3,8,27,3]
    """),
    Design("cvt", "CvtForImageClassification", AT_224, "embed_dim num_heads depth", """
        cvt-13 [64,192,384] [1,3,6] [1,2,10]
        cvt-21 [64,192,384] [1,3,6] [1,4,16]
        cvt-w24 [192,768,1024] [3,12,16] [2,2,20]
    """),
    Design("segformer", "SegformerForSemanticSegmentation", AT_512,
           "hidden_sizes depths decoder_hidden_size", """
        segformer-b0 [32,64,160,256] [2,2,2,2] 256
        segformer-b1 [64,128,320,512] [2,2,2,2] 256
        segformer-b2 [64,128,320,512] [3,4,6,3] 768
        segformer-b3 [64,128,320,512] [3,4,18,3] 768
        segformer-b4 [64,128,320,512] [3,8,27,3] 768
        segformer-b5 [64,128,320,512] [3,6,40,3] 768
    """),
    Design("glpn", "GLPNForDepthEstimation", AT_512, "", "glpn"),
    Design("dpt", "DPTForDepthEstimation", "pixel_values:1x3x384x384", WIDTHS, """
        dpt-base 768 12 12 3072
    """),
    Design("dpt", "DPTForDepthEstimation", "pixel_values:1x3x384x384",
           f"{WIDTHS} backbone_out_indices", """
        dpt-large 1024 24 16 4096 [5,11,17,23]
    """),
    Design("depth_anything", "DepthAnythingForDepthEstimation", "pixel_values:1x3x518x518", "",
           "depth-anything-small"),
    Design("zoedepth", "ZoeDepthForDepthEstimation", "pixel_values:1x3x384x384", "", "zoedepth"),
    Design("upernet", "UperNetForSemanticSegmentation", AT_512, "", "upernet"),
    Design("mobilenet_v2", "MobileNetV2ForSemanticSegmentation", AT_512, "",
           "deeplabv3-mobilenet-v2"),
    Design("mobilevit", "MobileViTForSemanticSegmentation", AT_512, "", "deeplabv3-mobilevit"),
    Design("beit", "BeitForSemanticSegmentation", AT_224, "", "beit-upernet", {
        "out_indices": [3, 5, 7, 11],
    }),
    Design("detr", "DetrForObjectDetection", AT_640, "", "detr-resnet-50"),
    Design("detr", "TableTransformerForObjectDetection", AT_640, "", "table-transformer"),
    Design("conditional_detr", "ConditionalDetrForObjectDetection", AT_640, "",
           "conditional-detr-resnet-50"),
    Design("dab_detr", "DabDetrForObjectDetection", AT_640, "", "dab-detr-resnet-50"),
    Design("deformable_detr", "DeformableDetrForObjectDetection", AT_640,
           "with_box_refine two_stage", """
        deformable-detr false false
        deformable-detr-refine true false
        deformable-detr-two-stage true true
    """),
    Design("rt_detr", "RTDetrForObjectDetection", AT_640, "", "rt-detr-r50"),
    Design("rt_detr", "RTDetrV2ForObjectDetection", AT_640, "", "rt-detr-v2-r50"),
    Design("d_fine", "DFineForObjectDetection", AT_640, "", "d-fine-l"),
    Design("lw_detr", "LwDetrForObjectDetection", AT_640, "", "lw-detr"),
    Design("rf_detr", "RfDetrForObjectDetection", AT_512, "", "rf-detr"),
    Design("yolos", "YolosForObjectDetection", "pixel_values:1x3x512x864", WIDTHS, """
        yolos-tiny 192 12 3 768
        yolos-small 384 12 6 1536
        yolos-base 768 12 12 3072
    """),
    Design("maskformer", "MaskFormerForInstanceSegmentation", AT_512, "", "maskformer-swin-base"),
    Design("mask2former", "Mask2FormerForUniversalSegmentation", AT_512, "",
           "mask2former-swin-small"),
    Design("sam", "SamVisionModel", "pixel_values:1x3x1024x1024",
           f"{WIDTHS} global_attn_indexes".replace("intermediate_size", "mlp_dim"), """
        sam-vit-base 768 12 12 3072 [2,5,8,11]
        sam-vit-large 1024 24 16 4096 [5,11,17,23]
        sam-vit-huge 1280 32 16 5120 [7,15,23,31]
    """),
    Design("sam2", "Sam2VisionModel", "pixel_values:1x3x1024x1024", "", "sam2-hiera-tiny"),
    Design("seggpt", "SegGptModel", "pixel_values:1x3x448x448 prompt_pixel_values:1x3x448x448"
           " prompt_masks:1x3x448x448", "", "seggpt-large"),
    Design("swin2sr", "Swin2SRForImageSuperResolution", "pixel_values:1x3x64x64", "upscale", """
        swin2sr-x2 2
        swin2sr-x4 4
    """),
    Design("superpoint", "SuperPointForKeypointDetection", AT_512, "", "superpoint"),
    Design("textnet", "TextNetForImageClassification", AT_640, "", "textnet-base"),
    Design("mgp_str", "MgpstrForSceneTextRecognition", "pixel_values:1x3x32x128", "",
           "mgp-str-base"),
    Design("donut", "DonutSwinModel", AT_224, "", "donut-swin"),
    Design("efficientloftr", "EfficientLoFTRModel", "pixel_values:1x2x3x480x640", "",
           "efficientloftr"),
    # moving pictures
    Design("videomae", "VideoMAEModel", "pixel_values:1x16x3x224x224", WIDTHS, """
        videomae-small 384 12 6 1536
        videomae-base 768 12 12 3072
        videomae-large 1024 24 16 4096
    """),
    Design("timesformer", "TimesformerModel", "pixel_values:1x8x3x224x224", WIDTHS, """
        timesformer-base 768 12 12 3072
        timesformer-large 1024 24 16 4096
    """),
    Design("vivit", "VivitModel", "pixel_values:1x32x3x224x224", "", "vivit-base"),
    Design("vjepa2", "VJEPA2Model", "pixel_values_videos:1x16x3x256x256", "", "vjepa2-large"),
    # pictures and text
    Design("clip", "CLIPModel", PAIR, f"{CLIP} vision_config.patch_size projection_dim", """
        clip-vit-base-32 768 12 12 3072 512 12 8 2048 32 512
        clip-vit-base-16 768 12 12 3072 512 12 8 2048 16 512
        clip-vit-large-14 1024 24 16 4096 768 12 12 3072 14 768
    """),
    Design("clip", "ChineseCLIPModel", PAIR, "", "chinese-clip-vit-base-16"),
    Design("clip", "AltCLIPModel", PAIR, "", "altclip"),
    Design("clip", "MetaClip2Model", PAIR, "", "metaclip-2"),
    Design("siglip", "SiglipModel", PAIR, f"{CLIP} vision_config.patch_size", """
        siglip-base-16 768 12 12 3072 768 12 12 3072 16
        siglip-large-16 1024 24 16 4096 1024 24 16 4096 16
        siglip-so400m-14 1152 27 16 4304 1152 27 16 4304 14
    """),
    Design("align", "AlignModel", f"{TEXT} pixel_values:1x3x289x289", "", "align-base"),
    Design("clipseg", "CLIPSegForImageSegmentation", PAIR, "", "clipseg-rd64"),
    Design("groupvit", "GroupViTModel", PAIR, "", "groupvit-gcc-yfcc"),
    Design("owlvit", "OwlViTForObjectDetection", "input_ids:1x16 pixel_values:1x3x768x768", "",
           "owlvit-base-32"),
    Design("owlvit", "Owlv2ForObjectDetection", "input_ids:1x16 pixel_values:1x3x960x960", "",
           "owlv2-base-16"),
    Design("grounding_dino", "GroundingDinoForObjectDetection", f"{AT_640} {TEXT}", "",
           "grounding-dino-tiny"),
    Design("blip", "BlipModel", f"{TEXT} pixel_values:1x3x384x384", "", "blip-base"),
    Design("blip_2", "Blip2QFormerModel",
           "query_embeds:1x32x768 encoder_hidden_states:1x257x1408", "", "blip-2-qformer"),
    Design("bridgetower", "BridgeTowerModel",
           f"{TEXT} pixel_values:1x3x288x288 attention_mask:1x64 pixel_mask:1x288x288", "",
           "bridgetower-base"),
    Design("vilt", "ViltModel", "input_ids:1x40 pixel_values:1x3x384x384", "", "vilt-b32"),
    Design("git", "GitModel", PAIR, "", "git-base"),
    Design("flava", "FlavaModel", PAIR, "", "flava-full"),
    Design("layoutlmv3", "LayoutLMv3Model", f"{TEXT} bbox:1x64x4 {AT_224}", "", "layoutlmv3-base"),
    Design("visual_bert", "VisualBertModel", f"{TEXT} visual_embeds:1x36x512", "", "visualbert"),
    Design("lxmert", "LxmertModel", f"{TEXT} visual_feats:1x36x2048 visual_pos:1x36x4", "",
           "lxmert-base"),
    Design("pix2struct", "Pix2StructVisionModel", "flattened_patches:1x512x770", "",
           "pix2struct-base-vision"),
    # sound
    Design("wav2vec2", "Wav2Vec2Model", SECOND, WIDTHS, "wav2vec2-base 768 12 12 3072"),
    Design("wav2vec2", "Wav2Vec2Model", SECOND, WIDTHS, """
        wav2vec2-large 1024 24 16 4096
        xls-r-1b 1280 48 16 5120
        xls-r-2b 1920 48 16 7680
    """, LARGE_SPEECH),
    Design("wav2vec2", "HubertModel", SECOND, WIDTHS, "hubert-base 768 12 12 3072"),
    Design("wav2vec2", "HubertModel", SECOND, WIDTHS, """
        hubert-large 1024 24 16 4096
        hubert-xlarge 1280 48 16 5120
    """, LARGE_SPEECH),
    Design("wav2vec2", "UniSpeechSatModel", SECOND, "", "unispeech-sat-base"),
    Design("wav2vec2", "WavLMModel", SECOND, WIDTHS, "wavlm-base 768 12 12 3072"),
    Design("wav2vec2", "WavLMModel", SECOND, WIDTHS, "wavlm-large 1024 24 16 4096", LARGE_SPEECH),
    Design("data2vec_audio", "Data2VecAudioModel", SECOND, WIDTHS, """
        data2vec-audio-base 768 12 12 3072
        data2vec-audio-large 1024 24 16 4096
    """),
    Design("wav2vec2_conformer", "Wav2Vec2ConformerModel", SECOND,
           f"{WIDTHS} position_embeddings_type", """
        wav2vec2-conformer-rel-pos 1024 24 16 4096 relative
        wav2vec2-conformer-rope 1024 24 16 4096 rotary
    """, {"feat_extract_norm": "layer", "conv_bias": True}),
    Design("wav2vec2_bert", "Wav2Vec2BertModel", "input_features:1x100x160", "", "w2v-bert-2.0"),
    Design("sew", "SEWModel", SECOND, WIDTHS, """
        sew-tiny 384 12 6 1536
        sew-mid 512 24 8 2048
    """),
    Design("sew_d", "SEWDModel", SECOND, "", "sew-d-tiny"),
    Design("whisper", "WhisperModel", "input_features:1x{num_mel_bins}x3000 decoder_input_ids:1x64",
           WHISPER, """
        whisper-tiny 80 384 4 4 6 6 1536 1536
        whisper-base 80 512 6 6 8 8 2048 2048
        whisper-small 80 768 12 12 12 12 3072 3072
        whisper-medium 80 1024 24 24 16 16 4096 4096
        whisper-large 80 1280 32 32 20 20 5120 5120
        whisper-large-v3 128 1280 32 32 20 20 5120 5120
        whisper-large-v3-turbo 128 1280 32 4 20 20 5120 5120
        whisper-distil-large-v2 80 1280 32 2 20 20 5120 5120
    """),
    Design("moonshine", "MoonshineModel", "input_values:1x16000 decoder_input_ids:1x16",
           "hidden_size intermediate_size encoder_num_hidden_layers decoder_num_hidden_layers", """
        moonshine-tiny 288 1152 6 6
        moonshine-base 416 1664 8 8
    """),
    Design("speech_to_text", "Speech2TextModel", "input_features:1x300x80 decoder_input_ids:1x64",
           "d_model encoder_attention_heads decoder_attention_heads", """
        s2t-small 256 4 4
        s2t-medium 512 8 8
        s2t-large 1024 16 16
    """),
    Design("ast", "ASTForAudioClassification", "input_values:1x1024x128", "", "ast"),
    Design("clap", "ClapAudioModel", "input_features:1x1x1001x64", "", "clap-htsat-tiny"),
    Design("speecht5", "SpeechT5HifiGan", "spectrogram:1x100x80", "", "hifigan"),
    Design("univnet", "UnivNetModel", "input_features:1x100x100 noise_sequence:1x100x64", "",
           "univnet"),
    Design("encodec", "EncodecModel", "input_values:1x1x24000", "", "encodec-24khz"),
    Design("dac", "DacModel", "input_values:1x1x16384", "", "dac-16khz"),
    Design("mimi", "MimiModel", "input_values:1x1x24000", "", "mimi"),
    Design("parakeet", "ParakeetForCTC", "input_features:1x300x80", "", "parakeet-ctc"),
    Design("clvp", "ClvpEncoder", TEXT, "", "clvp-text"),
    # series and actions
    Design("patchtst", "PatchTSTModel", "past_values:1x512x7", "d_model num_hidden_layers", """
        patchtst 128 3
        patchtst-64 16 3
    """, {"num_input_channels": 7, "context_length": 512, "patch_length": 12, "patch_stride": 12}),
    Design("patchtsmixer", "PatchTSMixerModel", "past_values:1x512x7", "d_model num_layers", """
        patchtsmixer 48 3
        patchtsmixer-wide 256 8
    """, {"num_input_channels": 7, "context_length": 512, "patch_length": 8, "patch_stride": 8}),
    Design("timesfm", "TimesFm2_5Model", "past_values:1x512", "", "timesfm-2.5"),
    Design("decision_transformer", "DecisionTransformerModel",
           "states:1x20x17 actions:1x20x4 rewards:1x20x1 returns_to_go:1x20x1 timesteps:1x20", "",
           "decision-transformer"),
    Design("perceiver", "PerceiverForMaskedLM", "inputs_ids:1x2048", "", "perceiver-language"),
)  # fmt: skip
