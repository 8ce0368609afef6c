"""Models of text that read it whole, or write another: designs of transformers and their sizes.

``_zoo_families.py`` says what a family is, ``_zoo_designs.py`` how a table is read.
"""

from __future__ import annotations

from _zoo_designs import Design

IDS = "input_ids:1x64"
PAIR = "input_ids:1x64 decoder_input_ids:1x64"
LONG = "input_ids:1x512"  # of attention in blocks
BOXES = "input_ids:1x64 bbox:1x64x4"
WIDTHS = "hidden_size num_hidden_layers num_attention_heads intermediate_size"
T5 = "d_model d_ff num_layers num_heads d_kv"
BART = (
    "d_model encoder_layers decoder_layers encoder_attention_heads decoder_attention_heads"
    " encoder_ffn_dim decoder_ffn_dim"
)
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}

ENCODERS = (
    Design("bert", "BertModel", IDS, WIDTHS, """
        bert-tiny 128 2 2 512
        bert-mini 256 4 4 1024
        bert-small 512 4 8 2048
        bert-medium 512 8 8 2048
        bert-base 768 12 12 3072
        bert-large 1024 24 16 4096
    """),
    Design("bert", "RobertaModel", IDS, f"{WIDTHS} vocab_size", """
        roberta-distil 768 6 12 3072 50265
        roberta-base 768 12 12 3072 50265
        roberta-large 1024 24 16 4096 50265
    """),
    Design("bert", "XLMRobertaModel", IDS, f"{WIDTHS} vocab_size", """
        minilm-l12 384 12 12 1536 250037
        xlm-roberta-base 768 12 12 3072 250002
        xlm-roberta-large 1024 24 16 4096 250002
    """),
    Design("bert", "ElectraModel", IDS, f"embedding_size {WIDTHS}", """
        electra-small 128 256 12 4 1024
        electra-base 768 768 12 12 3072
        electra-large 1024 1024 24 16 4096
    """),
    Design("bert", "DistilBertModel", IDS, "", "distilbert"),
    Design("bert", "SplinterModel", IDS, "", "splinter"),
    Design("bert", "RoCBertModel", IDS, "", "rocbert"),
    Design("bert", "MegatronBertModel", IDS, WIDTHS, """
        megatron-bert-345m 1024 24 16 4096
        megatron-bert-1.3b 2048 24 32 8192
    """),
    Design("bert", "RobertaPreLayerNormModel", IDS, WIDTHS, "efficient-mlm-base 768 12 12 3072"),
    Design("bert", "XLMRobertaXLModel", IDS, WIDTHS, """
        xlm-roberta-xl 2560 36 32 10240
        xlm-roberta-xxl 4096 48 32 16384
    """),
    Design("bert", "XmodModel", IDS, "", "xmod"),
    Design("bert", "AlbertModel", IDS, WIDTHS, """
        albert-base 768 12 12 3072
        albert-large 1024 24 16 4096
        albert-xlarge 2048 24 16 8192
        albert-xxlarge 4096 12 64 16384
    """),
    Design("deberta", "DebertaModel", IDS, WIDTHS, """
        deberta-base 768 12 12 3072
        deberta-large 1024 24 16 4096
        deberta-xlarge 1024 48 16 4096
    """, {"relative_attention": True, "pos_att_type": ["c2p", "p2c"],
          "position_biased_input": False, "max_relative_positions": -1}),
    Design("deberta_v2", "DebertaV2Model", IDS, f"vocab_size {WIDTHS}", """
        deberta-v3-xsmall 128100 384 12 6 1536
        deberta-v3-small 128100 768 6 12 3072
        deberta-v3-base 128100 768 12 12 3072
        deberta-v3-large 128100 1024 24 16 4096
    """, {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "share_att_key": True,
          "position_biased_input": False, "position_buckets": 256,
          "norm_rel_ebd": "layer_norm", "max_relative_positions": -1}),
    Design("deberta_v2", "DebertaV2Model", IDS, WIDTHS, """
        deberta-v2-xlarge 1536 24 24 6144
        deberta-v2-xxlarge 1536 48 24 6144
    """, {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "share_att_key": True,
          "position_biased_input": False, "position_buckets": 256, "conv_kernel_size": 3,
          "conv_act": "gelu", "norm_rel_ebd": "layer_norm", "max_relative_positions": -1}),
    Design("mobilebert", "MobileBertModel", IDS, "", "mobilebert"),
    Design("squeezebert", "SqueezeBertModel", IDS, "", "squeezebert"),
    Design("convbert", "ConvBertModel", IDS, f"embedding_size num_groups {WIDTHS}", """
        convbert-small 128 1 256 12 4 1024
        convbert-medium-small 128 2 384 12 8 1536
        convbert-base 768 1 768 12 12 3072
    """),
    Design("fnet", "FNetModel", IDS, "hidden_size num_hidden_layers intermediate_size", """
        fnet-base 768 12 3072
        fnet-large 1024 24 4096
    """),
    Design("funnel", "FunnelModel", IDS, "d_model n_head block_sizes", """
        funnel-small 768 12 [4,4,4]
        funnel-intermediate 768 12 [6,6,6]
        funnel-large 1024 16 [8,8,8]
    """),
    Design("mpnet", "MPNetModel", IDS, "", "mpnet-base"),
    Design("nystromformer", "NystromformerModel", IDS, "", "nystromformer-512"),
    Design("longformer", "LongformerModel", LONG, WIDTHS, """
        longformer-base 768 12 12 3072
        longformer-large 1024 24 16 4096
    """),
    Design("big_bird", "BigBirdModel", "input_ids:1x1024", WIDTHS, """
        bigbird-base 768 12 12 3072
        bigbird-large 1024 24 16 4096
    """),
    Design("roformer", "RoFormerModel", IDS, WIDTHS, """
        roformer-small 384 6 6 1536
        roformer-base 768 12 12 3072
    """),
    Design("yoso", "YosoModel", IDS, "", "yoso-4096"),
    Design("mra", "MraModel", IDS, "", "mra-base-512"),
    Design("canine", "CanineModel", IDS, "", "canine"),
    Design("bert", "RemBertModel", IDS, "", "rembert"),
    Design("reformer", "ReformerModel", IDS, "", "reformer"),
    Design("xlm", "XLMModel", IDS, "emb_dim n_layers n_heads", """
        xlm-mlm-2048 2048 12 16
        xlm-clm-1024 1024 6 8
        xlm-100-1280 1280 16 16
    """),
    Design("xlm", "FlaubertModel", IDS, "emb_dim n_layers n_heads", """
        flaubert-small 512 6 8
        flaubert-base 768 12 12
        flaubert-large 1024 24 16
    """),
    Design("xlnet", "XLNetModel", IDS, "d_model n_layer n_head d_inner", """
        xlnet-base 768 12 12 3072
        xlnet-large 1024 24 16 4096
    """),
    Design("modernbert", "ModernBertModel", IDS, WIDTHS, """
        modernbert-base 768 22 12 1152
        modernbert-large 1024 28 16 2624
    """),
    Design("nomic_bert", "NomicBertModel", IDS, "", "nomic-embed-v1"),
    Design("eurobert", "EuroBertModel", IDS, WIDTHS, """
        eurobert-210m 768 12 12 3072
        eurobert-610m 1152 26 18 4096
    """),
    Design("gte", "GteModel", IDS, "", "gte-multilingual-base"),
    Design("jina_embeddings_v3", "JinaEmbeddingsV3Model", IDS, "", "jina-embeddings-v3"),
    Design("ibert", "IBertModel", IDS, "", "ibert-base"),
    Design("esm", "EsmModel", IDS, WIDTHS, """
        esm2-8m 320 6 20 1280
        esm2-35m 480 12 20 1920
        esm2-150m 640 30 20 2560
        esm2-650m 1280 33 20 5120
        esm2-3b 2560 36 40 10240
        esm2-15b 5120 48 40 20480
    """, {"vocab_size": 33, "pad_token_id": 1, "mask_token_id": 32,
          "position_embedding_type": "rotary", "emb_layer_norm_before": False}),
    Design("layoutlm", "LayoutLMModel", BOXES, WIDTHS, """
        layoutlm-base 768 12 12 3072
        layoutlm-large 1024 24 16 4096
    """),
    Design("lilt", "LiltModel", BOXES, "", "lilt-base"),
    Design("bros", "BrosModel", "input_ids:1x64 bbox:1x64x8", "", "bros-base"),
    Design("markuplm", "MarkupLMModel", IDS, "", "markuplm-base"),
    Design("tapas", "TapasModel", "input_ids:1x64 token_type_ids:1x64x7", "", "tapas-base"),
    Design("luke", "LukeModel", IDS, "", "luke-base"),
    Design("t5", "T5Model", PAIR, T5, """
        t5-small 512 2048 6 8 64
        t5-base 768 3072 12 12 64
        t5-large 1024 4096 24 16 64
        t5-3b 1024 16384 24 32 128
        t5-11b 1024 65536 24 128 128
    """),
    Design("t5_v1_1", "T5Model", PAIR, T5, """
        t5-v1.1-small 512 1024 8 6 64
        t5-v1.1-base 768 2048 12 12 64
        t5-v1.1-large 1024 2816 24 16 64
        t5-v1.1-xl 2048 5120 24 32 64
        t5-v1.1-xxl 4096 10240 24 64 64
    """, GATED),
    Design("t5_v1_1", "MT5Model", PAIR, T5, """
        mt5-small 512 1024 8 6 64
        mt5-base 768 2048 12 12 64
        mt5-large 1024 2816 24 16 64
        mt5-xl 2048 5120 24 32 64
        mt5-xxl 4096 10240 24 64 64
    """, {"vocab_size": 250112}),
    Design("t5_v1_1", "T5Model", PAIR, f"{T5} num_decoder_layers", """
        byt5-small 1472 3584 12 6 64 4
        byt5-base 1536 3968 18 12 64 6
        byt5-large 1536 3840 36 16 64 12
        byt5-xl 2560 6720 36 32 64 12
    """, {**GATED, "vocab_size": 384}),
    Design("t5_v1_1", "UMT5Model", PAIR, T5, """
        umt5-small 512 1024 8 6 64
        umt5-base 768 2048 12 12 64
        umt5-xl 2048 5120 24 32 64
        umt5-xxl 4096 10240 24 64 64
    """, {"vocab_size": 256384}),
    Design("longt5", "LongT5Model", "input_ids:1x256 decoder_input_ids:1x64", T5, """
        longt5-local-base 768 2048 12 12 64
        longt5-local-large 1024 2816 24 16 64
    """, GATED),
    Design("switch_transformers", "SwitchTransformersModel", PAIR, "num_experts", """
        switch-base-8 8
        switch-base-16 16
    """),
    Design("t5gemma", "T5GemmaModel", PAIR, "", "t5gemma-2b"),
    Design("bart", "BartModel", PAIR, BART, """
        bart-base 768 6 6 12 12 3072 3072
        bart-large 1024 12 12 16 16 4096 4096
        bart-large-xsum-6-6 1024 6 6 16 16 4096 4096
        bart-large-cnn-12-6 1024 12 6 16 16 4096 4096
    """),
    Design("bart", "PLBartModel", PAIR, BART, """
        plbart-base 768 6 6 12 12 3072 3072
        plbart-large 1024 12 12 16 16 4096 4096
    """),
    Design("bart", "BlenderbotSmallModel", PAIR, "", "blenderbot-90m"),
    Design("bart", "MarianModel", PAIR, BART, """
        opus-mt 512 6 6 8 8 2048 2048
        opus-mt-tc-big 1024 6 6 16 16 4096 4096
    """, {"vocab_size": 65001, "pad_token_id": 65000, "decoder_start_token_id": 65000}),
    Design("bart", "FSMTModel", PAIR, "", "fsmt-wmt19"),
    Design("mbart", "MBartModel", PAIR, BART, """
        mbart-large 1024 12 12 16 16 4096 4096
    """, {"vocab_size": 250027}),
    Design("mbart", "BlenderbotModel", PAIR, BART, """
        blenderbot-400m 1280 2 12 32 32 5120 5120
        blenderbot-3b 2560 2 24 32 32 10240 10240
    """),
    Design("mbart", "PegasusModel", PAIR, BART, """
        pegasus-large 1024 16 16 16 16 4096 4096
    """, {"vocab_size": 96103}),
    Design("mbart", "M2M100Model", PAIR, BART, """
        m2m100-418m 1024 12 12 16 16 4096 4096
        m2m100-1.2b 1024 24 24 16 16 8192 8192
    """, {"vocab_size": 128112}),
    Design("mbart", "M2M100Model", PAIR, BART, """
        nllb-600m 1024 12 12 16 16 4096 4096
        nllb-1.3b 1024 24 24 16 16 8192 8192
        nllb-3.3b 2048 24 24 16 16 8192 8192
    """, {"vocab_size": 256206}),
    Design("pegasus_x", "PegasusXModel", "input_ids:1x512 decoder_input_ids:1x64", BART, """
        pegasus-x-base 768 12 12 12 12 3072 3072
        pegasus-x-large 1024 16 16 16 16 4096 4096
    """),
    Design("led", "LEDModel", "input_ids:1x1024 decoder_input_ids:1x64", BART, """
        led-base 768 6 6 12 12 3072 3072
        led-large 1024 12 12 16 16 4096 4096
    """),
    Design("bigbird_pegasus", "BigBirdPegasusModel", "input_ids:1x1024 decoder_input_ids:1x64", "",
           "bigbird-pegasus-large"),
    Design("prophetnet", "ProphetNetModel", PAIR, "", "prophetnet-large"),
    Design("bart", "MvpModel", PAIR, "", "mvp"),
)  # fmt: skip
