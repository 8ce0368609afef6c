"""Which networks the zoo holds, by source and family.

A family is one published design: what a paper or a repository introduced under one name. Its
depths, widths, resolutions, stems, patch sizes and ways of training share it; a version whose block
was designed anew (MobileNet V1, V2, V3) is a family of its own. Where torchvision and timm have the
same design, it has one name here. A name's module and docstring in its source decide.
"""

from __future__ import annotations

TORCHVISION = {
    "alexnet": "alexnet",
    "convnext": "convnext_tiny convnext_small convnext_base convnext_large",
    "densenet": "densenet121 densenet161 densenet169 densenet201",
    "efficientnet": (
        "efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4"
        " efficientnet_b5 efficientnet_b6 efficientnet_b7"
    ),
    "efficientnet_v2": "efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l",
    "googlenet": "googlenet",
    "inception_v3": "inception_v3",
    "maxvit": "maxvit_t",
    "mnasnet": "mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3": "mobilenet_v3_small mobilenet_v3_large",
    "regnet_x": (
        "regnet_x_400mf regnet_x_800mf regnet_x_1_6gf regnet_x_3_2gf regnet_x_8gf regnet_x_16gf"
        " regnet_x_32gf"
    ),
    "regnet_y": (
        "regnet_y_400mf regnet_y_800mf regnet_y_1_6gf regnet_y_3_2gf regnet_y_8gf regnet_y_16gf"
        " regnet_y_32gf regnet_y_128gf"
    ),
    "resnet": "resnet18 resnet34 resnet50 resnet101 resnet152 wide_resnet50_2 wide_resnet101_2",
    "resnext": "resnext50_32x4d resnext101_32x8d resnext101_64x4d",
    "shufflenet_v2": "shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0",
    "squeezenet": "squeezenet1_0 squeezenet1_1",
    "swin": "swin_t swin_s swin_b",
    "swin_v2": "swin_v2_t swin_v2_s swin_v2_b",
    "vgg": "vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn",
    "vit": "vit_b_16 vit_b_32 vit_l_16 vit_l_32 vit_h_14",
}

TIMM = {
    "beit": "beit_base_patch16_224 beitv2_base_patch16_224",
    "botnet": "botnet26t_256 botnet50ts_256",
    "caformer": "caformer_s18 caformer_s36",
    "cait": "cait_xxs24_224 cait_xxs36_224 cait_s24_224",
    "coat": "coat_tiny coat_mini coat_lite_tiny coat_lite_mini",
    "coatnet": "coatnet_nano_rw_224 coatnet_rmlp_nano_rw_224 coatnet_0_rw_224 coatnet_1_rw_224",
    "convformer": "convformer_s18 convformer_s36",
    "convit": "convit_tiny convit_small",
    "convmixer": "convmixer_768_32 convmixer_1024_20_ks9_p14",
    "convnext": "convnext_atto convnext_femto convnext_pico convnext_nano",
    "convnext_v2": "convnextv2_atto convnextv2_femto convnextv2_nano convnextv2_tiny",
    "cpubone": "cpubone_nano cpubone_b0_bfrobust cpubone_b1_dwnorm",
    "crossvit": "crossvit_tiny_240 crossvit_small_240 crossvit_9_240 crossvit_9_dagger_240",
    "cs3darknet": "cs3darknet_focus_s cs3darknet_s cs3darknet_m cs3darknet_l",
    "csatv2": "csatv2 csatv2_21m",
    "cspnet": "cspresnet50 cspresnext50 cspdarknet53",
    "cspnext": "cspnext_tiny cspnext_s cspnext_m",
    "darknet": "darknet17 darknet21 darknet53",
    "davit": "davit_tiny davit_small davit_base",
    "densenet": "densenetblur121d densenet264d",
    "dla": "dla34 dla46_c dla60 dla60x dla102",
    "dpn": "dpn48b dpn68 dpn68b dpn92",
    "ecaresnet": "ecaresnet26t ecaresnet50t ecaresnet50d ecaresnet101d",
    "edgenext": "edgenext_xx_small edgenext_x_small edgenext_small edgenext_base",
    "efficientformer": "efficientformer_l1 efficientformer_l3",
    "efficientformer_v2": "efficientformerv2_s0 efficientformerv2_s1 efficientformerv2_s2",
    "efficientnet": "efficientnet_lite0 efficientnet_lite1 tf_efficientnet_b0",
    "efficientnet_edgetpu": "efficientnet_es efficientnet_em efficientnet_el",
    "efficientnet_v2": (
        "efficientnetv2_rw_t tf_efficientnetv2_b0 tf_efficientnetv2_b1 tf_efficientnetv2_b2"
    ),
    "efficientvim": "efficientvim_m1 efficientvim_m2",
    "efficientvit_mit": "efficientvit_b0 efficientvit_b1 efficientvit_l1",
    "efficientvit_msra": "efficientvit_m0 efficientvit_m2 efficientvit_m4",
    "eva02": "eva02_tiny_patch14_224 eva02_small_patch14_224",
    "fasternet": "fasternet_t0 fasternet_t1 fasternet_s",
    "fastvit": "fastvit_t8 fastvit_t12 fastvit_sa12",
    "fbnet_c": "fbnetc_100",
    "fbnet_v3": "fbnetv3_b fbnetv3_d fbnetv3_g",
    "focalnet": "focalnet_tiny_srf focalnet_tiny_lrf focalnet_small_srf",
    "gcnet": "gcresnet33ts gcresnet50t gcresnext26ts",
    "gcvit": "gcvit_xxtiny gcvit_xtiny gcvit_tiny",
    "genet": "gernet_s gernet_m gernet_l",
    "ghostnet": "ghostnet_050 ghostnet_100 ghostnet_130",
    "ghostnet_v2": "ghostnetv2_100 ghostnetv2_130 ghostnetv2_160",
    "ghostnet_v3": "ghostnetv3_050 ghostnetv3_100",
    "gmlp": "gmlp_ti16_224 gmlp_s16_224",
    "halonet": "halonet26t halonet50ts",
    "hardcorenas": "hardcorenas_a hardcorenas_c hardcorenas_f",
    "hgnet": "hgnet_tiny hgnet_small",
    "hgnet_v2": "hgnetv2_b0 hgnetv2_b1 hgnetv2_b3",
    "hiera": "hiera_tiny_224 hiera_small_224 hiera_base_224",
    "hrnet": "hrnet_w18_small hrnet_w18_small_v2 hrnet_w18 hrnet_w32",
    "iformer": "iformer_t iformer_s iformer_m",
    "inception_next": "inception_next_atto inception_next_tiny inception_next_small",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_v4": "inception_v4",
    "lambdanetworks": "lambda_resnet26t lambda_resnet26rpt_256 lambda_resnet50ts",
    "lcnet": "lcnet_050 lcnet_100 lcnet_150",
    "lcnet_v2": "lcnetv2_small lcnetv2_base",
    "levit": "levit_128s levit_128 levit_192 levit_conv_128",
    "lowformer": "lowformer_b0 lowformer_b1 lowformer_e1",
    "mambaout": "mambaout_femto mambaout_kobe mambaout_tiny mambaout_small",
    "maxvit": "maxvit_pico_rw_256 maxvit_nano_rw_256 maxvit_tiny_tf_224",
    "maxxvit": "maxxvit_rmlp_nano_rw_256 maxxvitv2_nano_rw_256",
    "mixnet": "mixnet_s mixnet_m mixnet_l",
    "mlp_mixer": "mixer_s32_224 mixer_s16_224 mixer_b16_224",
    "mnasnet": "mnasnet_small semnasnet_075 semnasnet_100",
    "mobilenet_edgetpu": "mobilenet_edgetpu_100",
    "mobilenet_edgetpu_v2": "mobilenet_edgetpu_v2_xs mobilenet_edgetpu_v2_s mobilenet_edgetpu_v2_m",
    "mobilenet_v1": "mobilenetv1_100 mobilenetv1_100h mobilenetv1_125",
    "mobilenet_v2": "mobilenetv2_050 mobilenetv2_110d mobilenetv2_140",
    "mobilenet_v3": "mobilenetv3_small_050 mobilenetv3_large_150d mobilenetv3_rw",
    "mobilenet_v4": (
        "mobilenetv4_conv_small mobilenetv4_conv_medium mobilenetv4_conv_large"
        " mobilenetv4_hybrid_medium"
    ),
    "mobilenet_v5": "mobilenetv5_base mobilenetv5_300m",
    "mobileone": "mobileone_s0 mobileone_s1 mobileone_s2",
    "mobilevit": "mobilevit_xxs mobilevit_xs mobilevit_s",
    "mobilevit_v2": "mobilevitv2_050 mobilevitv2_100 mobilevitv2_150",
    "mvit_v2": "mvitv2_tiny mvitv2_small",
    "nasnet": "nasnetalarge",
    "nest": "nest_tiny nest_small",
    "nextvit": "nextvit_small nextvit_base",
    "nf_regnet": "nf_regnet_b0 nf_regnet_b1 nf_regnet_b3",
    "nf_resnet": "nf_resnet26 nf_resnet50",
    "nfnet": "nfnet_l0 eca_nfnet_l0 nfnet_f0 dm_nfnet_f0",
    "pit": "pit_ti_224 pit_xs_224 pit_s_224",
    "pnasnet": "pnasnet5large",
    "poolformer": "poolformer_s12 poolformer_s24 poolformer_m36",
    "poolformer_v2": "poolformerv2_s12 poolformerv2_s24 poolformerv2_m36",
    "pvt_v2": "pvt_v2_b0 pvt_v2_b1 pvt_v2_b2",
    "rdnet": "rdnet_tiny rdnet_small",
    "regnet_x": "regnetx_002 regnetx_006",
    "regnet_y": "regnety_002 regnety_006",
    "regnet_z": "regnetz_005 regnetz_040 regnetz_b16 regnetz_c16",
    "repghost": "repghostnet_050 repghostnet_100 repghostnet_150",
    "repvgg": "repvgg_a0 repvgg_a2 repvgg_b0 repvgg_b1g4",
    "repvit": "repvit_m0_9 repvit_m1_0 repvit_m1_5",
    "res2net": "res2net50_14w_8s res2net50_26w_4s res2net50d res2net101_26w_4s",
    "resmlp": "resmlp_12_224 resmlp_24_224 resmlp_36_224",
    "resnest": "resnest14d resnest26d resnest50d",
    "resnet": "resnet10t resnet14t resnet26d resnet50d resnetaa50d resnetblur50",
    "resnet_rs": "resnetrs50 resnetrs101 resnetrs152",
    "resnet_v2": "resnetv2_18 resnetv2_50 resnetv2_50d_gn resnetv2_101 resnetv2_50x1_bit",
    "resnext": "resnext50d_32x4d resnext26ts",
    "rexnet": "rexnet_100 rexnet_150 rexnet_200 rexnetr_130",
    "samvit": "samvit_base_patch16_224",
    "selecsls": "selecsls42b selecsls60 selecsls84",
    "senet": "seresnet18 seresnet50 seresnext50_32x4d legacy_seresnet34 legacy_senet154",
    "sequencer": "sequencer2d_s sequencer2d_m",
    "shvit": "shvit_s1 shvit_s2 shvit_s4",
    "sknet": "skresnet18 skresnet34 skresnet50 skresnext50_32x4d",
    "spnasnet": "spnasnet_100",
    "starnet": "starnet_s050 starnet_s1 starnet_s3",
    "swiftformer": "swiftformer_xs swiftformer_s swiftformer_l1",
    "swin": "swin_s3_tiny_224",
    "swin_v2": "swinv2_tiny_window16_256 swinv2_cr_tiny_224",
    "tiny_vit": "tiny_vit_5m_224 tiny_vit_11m_224 tiny_vit_21m_224",
    "tnt": "tnt_s_patch16_224 tnt_b_patch16_224",
    "tresnet": "tresnet_m tresnet_l tresnet_v2_l",
    "twins_pcpvt": "twins_pcpvt_small twins_pcpvt_base",
    "twins_svt": "twins_svt_small twins_svt_base",
    "visformer": "visformer_tiny visformer_small",
    "vit": (
        "vit_tiny_patch16_224 vit_small_patch32_224 vit_small_patch16_224"
        " deit3_small_patch16_224 vit_base_patch16_clip_224"
    ),
    "vit_hybrid": "vit_tiny_r_s16_p8_224 vit_small_r26_s32_224 vit_base_resnet26d_224",
    "vit_relpos": (
        "vit_relpos_small_patch16_224 vit_relpos_medium_patch16_224 vit_srelpos_small_patch16_224"
    ),
    "vitamin": "vitamin_small_224 vitamin_base_224",
    "volo": "volo_d1_224 volo_d2_224",
    "vovnet": "vovnet39a vovnet57a",
    "vovnet_v2": "ese_vovnet19b_dw ese_vovnet19b_slim ese_vovnet39b ese_vovnet57b",
    "xception": "legacy_xception xception41 xception65 xception71",
    "xcit": "xcit_nano_12_p16_224 xcit_tiny_12_p16_224 xcit_tiny_12_p8_224 xcit_small_12_p16_224",
}


def families() -> dict[str, str]:
    """Name → family, torchvision's first; timm's names begin with "timm/".

    Raises:
        ValueError: a name is listed twice.
    """
    listed = [(name, family) for family, names in TORCHVISION.items() for name in names.split()]
    listed += [(f"timm/{n}", family) for family, names in TIMM.items() for n in names.split()]
    result = dict(listed)
    if len(result) < len(listed):
        raise ValueError("a network is listed twice")
    return result
