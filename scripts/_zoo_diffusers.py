"""Networks that remove noise, and the autoencoders around them: designs of diffusers.

``_zoo_families.py`` says what a family is, ``_zoo_designs.py`` how a table is read.
"""

from __future__ import annotations

from _zoo_designs import Design

LATENT = "sample:1x4x64x64 timestep:1"
PICTURE = "sample:1x3x{sample_size}x{sample_size} timestep:1"
WORDS = "encoder_hidden_states:1x77x{cross_attention_dim}"
CAPTION = "encoder_hidden_states:1x64x{caption_channels}"
TO_ENCODE = "sample:1x3x256x256"
TO_ENCODE_FILM = "sample:1x3x9x64x64"
DIT = "num_layers num_attention_heads attention_head_dim"
ADDED = "added_cond_kwargs.text_embeds:1x1280 added_cond_kwargs.time_ids:1x{times}"
DOWN, UP = "DownEncoderBlock2D", "UpDecoderBlock2D"
CROSS_DOWN, CROSS_UP = "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"
XL = {"use_linear_projection": True, "addition_embed_type": "text_time",
      "addition_time_embed_dim": 256}  # fmt: skip

DIFFUSERS = (
    Design("ddpm", "UNet2DModel", PICTURE, "sample_size", "ddpm-cifar10-32 32", {
        "block_out_channels": [128, 256, 256, 256],
        "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    }),
    Design("ddpm", "UNet2DModel", PICTURE, "sample_size", "ddpm-celebahq-256 256", {
        "block_out_channels": [128, 128, 256, 256, 512, 512],
        "down_block_types": [*["DownBlock2D"] * 4, "AttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "AttnUpBlock2D", *["UpBlock2D"] * 4],
    }),
    Design("ddpm", "UNet2DModel", PICTURE, "sample_size attention_head_dim", """
        ldm-celebahq-256 64 32
    """, {
        "block_out_channels": [224, 448, 672, 896],
        "down_block_types": ["DownBlock2D", *["AttnDownBlock2D"] * 3],
        "up_block_types": [*["AttnUpBlock2D"] * 3, "UpBlock2D"],
    }),
    Design("stable_diffusion", "UNet2DConditionModel", f"{LATENT} {WORDS}",
           "cross_attention_dim attention_head_dim use_linear_projection", """
        sd-1.5 768 8 false
        sd-2.1 1024 [5,10,20,20] true
    """),
    Design("stable_diffusion", "UNet2DConditionModel", f"{LATENT} {WORDS}", "cross_attention_dim",
           "small-sd 768", {
        "layers_per_block": 1, "attention_head_dim": 8,
    }),
    Design("stable_diffusion", "UNet2DConditionModel",
           f"{LATENT} {WORDS} {ADDED.format(times=6)}", "cross_attention_dim", "sd-xl 2048", {
        **XL, "block_out_channels": [320, 640, 1280], "transformer_layers_per_block": [1, 2, 10],
        "attention_head_dim": [5, 10, 20], "projection_class_embeddings_input_dim": 2816,
        "down_block_types": ["DownBlock2D", CROSS_DOWN, CROSS_DOWN],
        "up_block_types": [CROSS_UP, CROSS_UP, "UpBlock2D"],
    }),
    Design("stable_diffusion", "UNet2DConditionModel",
           f"{LATENT} {WORDS} {ADDED.format(times=5)}", "cross_attention_dim",
           "sd-xl-refiner 1280", {
        **XL, "block_out_channels": [384, 768, 1536, 1536], "transformer_layers_per_block": 4,
        "attention_head_dim": [6, 12, 24, 24], "projection_class_embeddings_input_dim": 2560,
        "down_block_types": ["DownBlock2D", CROSS_DOWN, CROSS_DOWN, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", CROSS_UP, CROSS_UP, "UpBlock2D"],
    }),
    Design("stable_diffusion", "ControlNetModel", f"{LATENT} {WORDS} controlnet_cond:1x3x512x512",
           "cross_attention_dim attention_head_dim", """
        controlnet-sd-1.5 768 8
        controlnet-sd-2.1 1024 [5,10,20,20]
    """),
    Design("stable_diffusion", "SparseControlNetModel",
           "sample:1x4x8x32x32 timestep:1 encoder_hidden_states:1x77x768"
           " controlnet_cond:1x4x8x32x32", "", "sparse-controlnet", {
        "in_channels": 4, "cross_attention_dim": 768,
    }),
    Design("t2i_adapter", "T2IAdapter", "x:1x3x512x512", "adapter_type channels", """
        t2i-adapter full_adapter [320,640,1280,1280]
        t2i-adapter-light light_adapter [320,640,1280]
        t2i-adapter-xl full_adapter_xl [320,640,1280,1280]
    """),
    Design("unet_1d", "UNet1DModel", "sample:1x2x16384 timestep:1", "", "unet-1d"),
    Design("unet_3d", "UNet3DConditionModel",
           "sample:1x4x8x32x32 timestep:1 encoder_hidden_states:1x77x1024", "", "modelscope-t2v"),
    Design("unet_3d", "I2VGenXLUNet", "sample:1x4x8x32x32 timestep:1 fps:1"
           " image_latents:1x4x8x32x32 image_embeddings:1x1024 encoder_hidden_states:1x77x1024", "",
           "i2vgen-xl"),
    Design("animatediff", "UNetMotionModel",
           "sample:1x4x8x32x32 timestep:1 encoder_hidden_states:1x77x{cross_attention_dim}",
           "cross_attention_dim", "animatediff-sd-1.5 768"),
    Design("stable_video_diffusion", "UNetSpatioTemporalConditionModel",
           "sample:1x8x8x32x32 timestep:1 encoder_hidden_states:1x1x1024 added_time_ids:1x3", "",
           "stable-video-diffusion"),
    Design("kandinsky_3", "Kandinsky3UNet",
           "sample:1x4x64x64 timestep:1 encoder_hidden_states:1x77x4096"
           " encoder_attention_mask:1x77", "", "kandinsky-3"),
    Design("stable_cascade", "StableCascadeUNet",
           "sample:1x16x24x24 timestep_ratio:1 clip_text_pooled:1x1x1280 clip_text:1x77x1280"
           " clip_img:1x1x768", "", "stable-cascade-prior", {
        "conditioning_dim": 2048, "block_out_channels": [2048, 2048],
        "num_attention_heads": [32, 32], "down_num_layers_per_block": [8, 24],
        "up_num_layers_per_block": [24, 8], "down_blocks_repeat_mappers": [1, 1],
        "up_blocks_repeat_mappers": [1, 1], "in_channels": 16, "out_channels": 16,
        "clip_text_in_channels": 1280, "clip_text_pooled_in_channels": 1280,
        "clip_image_in_channels": 768, "clip_seq": 4, "switch_level": [False],
        "block_types_per_layer": [["SDCascadeResBlock", "SDCascadeTimestepBlock",
                                   "SDCascadeAttnBlock"]] * 2,
    }),
    Design("uvit", "UVit2DModel", "input_ids:1x16x16 encoder_hidden_states:1x77x768"
           " pooled_text_emb:1x768 micro_conds:1x5", "", "amused-uvit"),
    Design("stable_diffusion", "AudioLDM2UNet2DConditionModel",
           "sample:1x4x64x16 timestep:1 encoder_hidden_states:1x16x{cross_attention_dim}",
           "cross_attention_dim", "audioldm2 1280"),
    Design("unclip_prior", "PriorTransformer", "hidden_states:1x768 timestep:1"
           " proj_embedding:1x768 encoder_hidden_states:1x77x768", DIT, """
        kandinsky-2-prior 20 32 64
        karlo-prior 20 32 48
    """),
    # transformers that remove noise
    Design("dit", "DiTTransformer2DModel",
           "hidden_states:1x4x32x32 timestep:1 class_labels:1", DIT, """
        dit-s-2 12 6 64
        dit-b-2 12 12 64
        dit-l-2 24 16 64
        dit-xl-2 28 16 72
    """),
    Design("pixart", "PixArtTransformer2DModel", "hidden_states:1x4x{sample_size}x{sample_size}"
           f" {CAPTION} timestep:1", "sample_size caption_channels", """
        pixart-sigma-256 32 4096
        pixart-sigma-512 64 4096
    """, {"cross_attention_dim": 1152, "use_additional_conditions": False}),
    Design("sd3", "SD3Transformer2DModel", "hidden_states:1x16x64x64"
           " encoder_hidden_states:1x77x4096 pooled_projections:1x2048 timestep:1",
           "num_layers num_attention_heads caption_projection_dim", """
        sd3-medium 24 24 1536
    """),
    Design("sd3", "SD3Transformer2DModel", "hidden_states:1x16x64x64"
           " encoder_hidden_states:1x77x4096 pooled_projections:1x2048 timestep:1",
           "num_layers num_attention_heads caption_projection_dim dual_attention_layers", """
        sd3.5-medium 24 24 1536 [0,1,2,3,4,5,6,7,8,9,10,11,12]
        sd3.5-large 38 38 2432 []
    """, {"qk_norm": "rms_norm"}),
    Design("flux", "FluxTransformer2DModel", "hidden_states:1x256x64"
           " encoder_hidden_states:1x64x4096 pooled_projections:1x768 timestep:1 img_ids:256x3"
           " txt_ids:64x3", "num_layers num_single_layers", """
        flux-1-schnell 19 38
    """),
    Design("flux", "ChromaTransformer2DModel", "hidden_states:1x256x64"
           " encoder_hidden_states:1x64x4096 timestep:1 img_ids:256x3 txt_ids:64x3", "",
           "chroma-1"),
    Design("flux_2", "Flux2Transformer2DModel", "hidden_states:1x256x128"
           " encoder_hidden_states:1x64x15360 timestep:1 img_ids:256x4 txt_ids:64x4 guidance:1", "",
           "flux-2"),
    Design("auraflow", "AuraFlowTransformer2DModel", "hidden_states:1x4x64x64"
           " encoder_hidden_states:1x64x2048 timestep:1", "", "auraflow"),
    Design("sana", "SanaTransformer2DModel", f"hidden_states:1x32x32x32 {CAPTION} timestep:1",
           "num_layers num_attention_heads num_cross_attention_heads cross_attention_head_dim"
           " cross_attention_dim caption_channels", """
        sana-600m 28 36 16 72 1152 2304
        sana-1.6b 20 70 20 112 2240 2304
    """),
    Design("lumina_2", "Lumina2Transformer2DModel", "hidden_states:1x16x32x32 timestep:1"
           " encoder_hidden_states:1x64x{cap_feat_dim} encoder_attention_mask:1x64",
           "cap_feat_dim", "lumina-2 2304"),
    Design("cogview_4", "CogView4Transformer2DModel", "hidden_states:1x16x64x64"
           " encoder_hidden_states:1x64x4096 timestep:1 original_size:1x2 target_size:1x2"
           " crop_coords:1x2", "", "cogview-4"),
    Design("cogview_3", "CogView3PlusTransformer2DModel", "hidden_states:1x16x64x64"
           " encoder_hidden_states:1x224x4096 timestep:1 original_size:1x2 target_size:1x2"
           " crop_coords:1x2", "", "cogview-3-plus"),
    Design("cogvideox", "CogVideoXTransformer3DModel", "hidden_states:1x4x16x30x44"
           " encoder_hidden_states:1x226x4096 timestep:1",
           "num_layers num_attention_heads sample_height sample_width", """
        cogvideox-2b 30 30 30 44
        cogvideox-5b 42 48 30 44
    """, {"sample_frames": 13}),
    Design("ltx_video", "LTXVideoTransformer3DModel", "hidden_states:1x256x128"
           " encoder_hidden_states:1x64x4096 timestep:1 encoder_attention_mask:1x64"
           " video_coords:1x3x256", "", "ltx-video"),
    Design("mochi", "MochiTransformer3DModel", "hidden_states:1x12x2x32x32"
           " encoder_hidden_states:1x256x4096 timestep:1 encoder_attention_mask:1x256", "",
           "mochi-1"),
    Design("wan", "WanTransformer3DModel", "hidden_states:1x16x3x32x32 timestep:1"
           " encoder_hidden_states:1x64x4096", "num_layers num_attention_heads ffn_dim", """
        wan-2.1-1.3b 30 12 8960
        wan-2.1-14b 40 40 13824
    """),
    Design("wan", "SkyReelsV2Transformer3DModel", "hidden_states:1x16x3x32x32 timestep:1"
           " encoder_hidden_states:1x64x4096", "", "skyreels-v2"),
    Design("hunyuan_video", "HunyuanVideoTransformer3DModel", "hidden_states:1x16x3x32x32"
           " timestep:1 encoder_hidden_states:1x64x4096 encoder_attention_mask:1x64"
           " pooled_projections:1x768 guidance:1", "", "hunyuan-video"),
    Design("allegro", "AllegroTransformer3DModel", "hidden_states:1x4x4x20x20"
           " encoder_hidden_states:1x1x64x4096 timestep:1", "", "allegro"),
    Design("stable_audio", "StableAudioDiTModel", "hidden_states:1x64x256 timestep:1"
           " encoder_hidden_states:1x64x768 global_hidden_states:1x1x1536", "",
           "stable-audio-open"),
    Design("prx", "PRXTransformer2DModel", "hidden_states:1x16x64x64 timestep:1"
           " encoder_hidden_states:1x64x2304", "", "prx"),
    # autoencoders
    Design("autoencoder_kl", "AutoencoderKL", TO_ENCODE, "latent_channels use_quant_conv", """
        sd-vae 4 true
        sd3-vae 16 false
    """, {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
          "down_block_types": [DOWN] * 4, "up_block_types": [UP] * 4}),
    Design("autoencoder_kl", "AutoencoderKLFlux2", TO_ENCODE, "", "flux-2-vae"),
    Design("autoencoder_kl", "AsymmetricAutoencoderKL", TO_ENCODE, "", "asymmetric-vae-x-1.5", {
        "down_block_out_channels": [128, 256, 512, 512], "layers_per_down_block": 2,
        "up_block_out_channels": [192, 384, 768, 768], "layers_per_up_block": 3,
        "down_block_types": [DOWN] * 4, "up_block_types": [UP] * 4,
    }),
    Design("autoencoder_kl", "AutoencoderKLTemporalDecoder", "sample:2x3x128x128", "",
           "svd-vae", {
        "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
        "down_block_types": [DOWN] * 4,
    }),
    Design("vq_model", "VQModel", TO_ENCODE, "block_out_channels", """
        vq-f4 [128,256,512]
        vq-f8 [128,256,256,512]
    """, {"layers_per_block": 2, "num_vq_embeddings": 8192}),
    Design("autoencoder_tiny", "AutoencoderTiny", TO_ENCODE, "latent_channels", """
        taesd 4
        taef1 16
    """),
    Design("autoencoder_dc", "AutoencoderDC", TO_ENCODE, "", "dc-ae-f32"),
    Design("consistency_decoder", "ConsistencyDecoderVAE", TO_ENCODE, "", "consistency-decoder"),
    Design("autoencoder_rae", "AutoencoderRAE", TO_ENCODE, "", "rae"),
    *(
        Design(family, f"AutoencoderKL{made}", TO_ENCODE_FILM, "", f"{name}-vae")
        for family, made, name in (
            ("allegro_vae", "Allegro", "allegro"),
            ("cogvideox_vae", "CogVideoX", "cogvideox"),
            ("cosmos_vae", "Cosmos", "cosmos"),
            ("hunyuan_video_vae", "HunyuanVideo", "hunyuan-video"),
            ("hunyuan_video_15_vae", "HunyuanVideo15", "hunyuan-video-1.5"),
            ("ltx_video_vae", "LTXVideo", "ltx-video"),
            ("magvit_vae", "Magvit", "magvit"),
            ("mochi_vae", "Mochi", "mochi"),
            ("wan_vae", "Wan", "wan"),
            ("wan_vae", "QwenImage", "qwen-image"),
        )
    ),
    Design("oobleck", "AutoencoderOobleck", "sample:1x2x16384", "", "stable-audio-vae"),
)  # fmt: skip
