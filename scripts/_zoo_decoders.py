"""Language models that continue a text: designs of transformers and their published sizes.

``_zoo_families.py`` says what a family is, ``_zoo_designs.py`` how a table is read.
"""

from __future__ import annotations

from _zoo_designs import Design

IDS = "input_ids:1x64"
FEW_IDS = "input_ids:1x8"  # where each step of a recurrence is written out
WIDTHS = "hidden_size num_hidden_layers num_attention_heads intermediate_size"
GROUPED = f"{WIDTHS} num_key_value_heads vocab_size"
GPT2 = "n_embd n_layer n_head"

DECODERS = (
    Design("gpt", "OpenAIGPTModel", IDS, "", "openai-gpt"),
    Design("gpt2", "GPT2Model", IDS, GPT2, """
        gpt2-distil 768 6 12
        gpt2-small 768 12 12
        gpt2-medium 1024 24 16
        gpt2-large 1280 36 20
        gpt2-xl 1600 48 25
    """),
    Design("gpt2", "ImageGPTModel", IDS, GPT2, """
        imagegpt-small 512 24 8
        imagegpt-medium 1024 36 8
        imagegpt-large 1536 48 16
    """),
    Design("gpt2", "BioGptModel", IDS, WIDTHS, """
        biogpt 1024 24 16 4096
        biogpt-large 1600 48 25 6400
    """),
    Design("gpt2", "GPTBigCodeModel", IDS, f"{GPT2} n_inner vocab_size", """
        tiny-starcoder 768 20 12 3072 49152
        santacoder 2048 24 16 8192 49280
        starcoder-1b 2048 24 16 8192 49152
        starcoder-3b 2816 36 22 11264 49152
        starcoder-7b 4096 42 32 16384 49152
        starcoder 6144 40 48 24576 49152
    """),
    Design("gpt_neo", "GPTNeoModel", IDS, "hidden_size num_layers num_heads attention_types", """
        gpt-neo-125m 768 12 12 [[["global","local"],6]]
        gpt-neo-1.3b 2048 24 16 [[["global","local"],12]]
        gpt-neo-2.7b 2560 32 20 [[["global","local"],16]]
    """),
    Design("gptj", "GPTJModel", IDS, "", "gpt-j-6b"),
    Design("gptj", "CodeGenModel", IDS, f"{GPT2} rotary_dim", """
        codegen-350m 1024 20 16 32
        codegen-2b 2560 32 32 64
        codegen-6b 4096 33 16 64
        codegen-16b 6144 34 24 64
    """),
    Design("gpt_neox", "GPTNeoXModel", IDS, WIDTHS, """
        pythia-14m 128 6 4 512
        pythia-31m 256 6 8 1024
        pythia-70m 512 6 8 2048
        pythia-160m 768 12 12 3072
        pythia-410m 1024 24 16 4096
        pythia-1b 2048 16 8 8192
        pythia-1.4b 2048 24 16 8192
        pythia-2.8b 2560 32 32 10240
        pythia-6.9b 4096 32 32 16384
        pythia-12b 5120 36 40 20480
        gpt-neox-20b 6144 44 64 24576
    """),
    Design("gpt_neox_japanese", "GPTNeoXJapaneseModel", IDS, "", "gpt-neox-japanese-2.7b"),
    Design("opt", "OPTModel", IDS, "hidden_size num_hidden_layers num_attention_heads ffn_dim", """
        opt-125m 768 12 12 3072
        opt-1.3b 2048 24 32 8192
        opt-2.7b 2560 32 32 10240
        opt-6.7b 4096 32 32 16384
        opt-13b 5120 40 40 20480
        opt-30b 7168 48 56 28672
    """),
    Design("opt", "OPTModel", IDS, "", "opt-350m", {
        "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "ffn_dim": 4096,
        "do_layer_norm_before": False, "word_embed_proj_dim": 512,
    }),
    Design("xglm", "XGLMModel", IDS, "d_model num_layers attention_heads ffn_dim", """
        xglm-564m 1024 24 16 4096
        xglm-1.7b 2048 24 16 8192
        xglm-2.9b 2048 48 16 8192
        xglm-4.5b 2048 48 16 16384
        xglm-7.5b 4096 32 32 16384
    """),
    Design("bloom", "BloomModel", IDS, "hidden_size n_layer n_head", """
        bloom-560m 1024 24 16
        bloom-1b1 1536 24 16
        bloom-1b7 2048 24 16
        bloom-3b 2560 30 32
        bloom-7b1 4096 30 32
        bloom-176b 14336 70 112
    """),
    Design("mpt", "MptModel", IDS, "d_model n_layers n_heads", """
        mpt-1b 2048 24 16
        mpt-7b 4096 32 32
        mpt-30b 7168 48 64
    """),
    Design("ctrl", "CTRLModel", IDS, "", "ctrl"),
    Design("falcon", "FalconModel", IDS, "", "falcon-7b"),
    Design("falcon", "FalconModel", IDS, "hidden_size num_hidden_layers num_attention_heads", """
        falcon-rw-1b 2048 24 32
        falcon-rw-7b 4096 36 64
    """, {"alibi": True, "multi_query": False, "parallel_attn": False, "bias": True}),
    Design(
        "falcon", "FalconModel", IDS,
        "hidden_size num_hidden_layers num_attention_heads num_kv_heads", """
        falcon-40b 8192 60 128 8
        falcon-180b 14848 80 232 8
    """, {"new_decoder_architecture": True}),
    Design("llama", "LlamaModel", IDS, GROUPED, """
        llama-7b 4096 32 32 11008 32 32000
        llama-13b 5120 40 40 13824 40 32000
        llama-30b 6656 60 52 17920 52 32000
        llama-65b 8192 80 64 22016 64 32000
        llama-2-70b 8192 80 64 28672 8 32000
        llama-3-8b 4096 32 32 14336 8 128256
        llama-3.2-1b 2048 16 32 8192 8 128256
        llama-3.2-3b 3072 28 24 8192 8 128256
        codellama-34b 8192 48 64 22016 8 32000
        tinyllama-1.1b 2048 22 32 5632 4 32000
        openllama-3b 3200 26 32 8640 32 32000
        smollm-135m 576 30 9 1536 3 49152
        smollm-360m 960 32 15 2560 5 49152
        smollm-1.7b 2048 24 32 8192 32 49152
        yi-6b 4096 32 32 11008 4 64000
        yi-34b 7168 60 56 20480 8 64000
        deepseek-67b 8192 95 64 22016 8 102400
    """),
    Design("llama", "MistralModel", IDS, f"{GROUPED} head_dim", """
        mistral-7b 4096 32 32 14336 8 32000 128
        mistral-nemo 5120 40 32 14336 8 131072 128
        mistral-small-22b 6144 56 48 16384 8 32768 128
        mistral-small-24b 5120 40 32 32768 8 131072 128
        ministral-8b 4096 36 32 12288 8 131072 128
    """),
    Design("llama", "Qwen2Model", IDS, GROUPED, """
        qwen2-0.5b 896 24 14 4864 2 151936
        qwen2-1.5b 1536 28 12 8960 2 151936
        qwen2-7b 3584 28 28 18944 4 152064
        qwen2-72b 8192 80 64 29568 8 152064
        qwen2.5-3b 2048 36 16 11008 2 151936
        qwen2.5-14b 5120 48 40 13824 8 152064
        qwen2.5-32b 5120 64 40 27648 8 152064
    """),
    Design("llama", "SeedOssModel", IDS, "", "seed-oss"),
    Design("llama", "Ernie4_5Model", IDS, "", "ernie-4.5-0.3b"),
    Design("llama", "HeliumModel", IDS, "", "helium-2b"),
    Design("qwen3", "Qwen3Model", IDS, f"{GROUPED} head_dim", """
        qwen3-0.6b 1024 28 16 3072 8 151936 128
        qwen3-1.7b 2048 28 16 6144 8 151936 128
        qwen3-4b 2560 36 32 9728 8 151936 128
        qwen3-8b 4096 36 32 12288 8 151936 128
        qwen3-14b 5120 40 40 17408 8 151936 128
        qwen3-32b 5120 64 64 25600 8 151936 128
    """),
    Design("gemma", "GemmaModel", IDS, f"{GROUPED} head_dim", """
        gemma-2b 2048 18 8 16384 1 256000 256
        gemma-7b 3072 28 16 24576 16 256000 256
    """),
    Design("gemma2", "Gemma2Model", IDS, f"{GROUPED} head_dim", """
        gemma-2-2b 2304 26 8 9216 4 256000 256
        gemma-2-9b 3584 42 16 14336 8 256000 256
        gemma-2-27b 4608 46 32 36864 16 256000 128
    """),
    Design("gemma2", "VaultGemmaModel", IDS, "", "vaultgemma"),
    Design("gemma3", "Gemma3TextModel", IDS, f"{GROUPED} head_dim", """
        gemma-3-270m 640 18 4 2048 1 262144 256
        gemma-3-1b 1152 26 4 6912 1 262144 256
        gemma-3-4b 2560 34 8 10240 4 262208 256
        gemma-3-12b 3840 48 16 15360 8 262208 256
        gemma-3-27b 5376 62 32 21504 16 262208 128
    """),
    Design("gemma3n", "Gemma3nTextModel", IDS, "", "gemma-3n"),
    Design("gemma4", "Gemma4TextModel", IDS, "", "gemma-4"),
    Design("phi", "PhiModel", IDS, WIDTHS, "phi-1 2048 24 32 8192\nphi-2 2560 32 32 10240"),
    Design("phi3", "Phi3Model", IDS, GROUPED, """
        phi-3-mini 3072 32 32 8192 32 32064
        phi-3-medium 5120 40 40 17920 10 32064
        phi-4 5120 40 40 17920 10 100352
    """),
    Design("phi3", "Phi3Model", IDS, "", "phi-4-mini", {
        "hidden_size": 3072, "num_hidden_layers": 32, "num_attention_heads": 24,
        "intermediate_size": 8192, "num_key_value_heads": 8, "vocab_size": 200064,
        "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.75},
    }),
    Design("stablelm", "StableLmModel", IDS, GROUPED, """
        stablelm-3b 2560 32 32 6912 32 50304
        stablelm-2-1.6b 2048 24 32 5632 32 100352
    """),
    Design("stablelm", "StableLmModel", IDS, GROUPED, """
        stablelm-2-12b 5120 40 32 13824 8 100352
    """, {"qk_layernorm": True, "use_parallel_residual": True}),
    Design("persimmon", "PersimmonModel", IDS, "", "persimmon-8b"),
    Design("starcoder2", "Starcoder2Model", IDS, GROUPED, """
        starcoder2-3b 3072 30 24 12288 2 49152
        starcoder2-7b 4608 32 36 18432 4 49152
        starcoder2-15b 6144 40 48 24576 4 49152
    """),
    Design("olmo", "OlmoModel", IDS, GROUPED, """
        olmo-1b 2048 16 16 8192 16 50304
        olmo-7b 4096 32 32 11008 32 50304
    """),
    Design("olmo2", "Olmo2Model", IDS, GROUPED, """
        olmo-2-1b 2048 16 16 8192 16 100352
        olmo-2-7b 4096 32 32 11008 32 100352
        olmo-2-13b 5120 40 40 13824 40 100352
        olmo-2-32b 5120 64 40 27648 8 100352
    """),
    Design("cohere", "CohereModel", IDS, GROUPED, """
        command-r-35b 8192 40 64 22528 64 256000
        aya-23-8b 4096 32 32 14336 8 256000
    """),
    Design("cohere", "Cohere2Model", IDS, GROUPED, "command-r7b 4096 32 32 14336 8 256000"),
    Design("glm", "GlmModel", IDS, GROUPED, """
        glm-4-9b 4096 40 32 13696 2 151552
        glm-edge-1.5b 2048 28 16 6144 4 59264
    """, {"pad_token_id": None}),
    Design("glm4", "Glm4Model", IDS, GROUPED, """
        glm-4-9b-0414 4096 40 32 13696 2 151552
        glm-4-32b-0414 6144 61 48 23040 8 151552
    """),
    Design("granite", "GraniteModel", IDS, GROUPED, """
        granite-3-2b 2048 40 32 8192 8 49152
        granite-3-8b 4096 40 32 12800 8 49152
    """),
    Design("nemotron", "NemotronModel", IDS, GROUPED, """
        minitron-4b 3072 32 24 9216 8 256000
        nemotron-4-15b 6144 32 48 24576 8 256000
    """),
    Design("nemotron", "ArceeModel", IDS, "", "arcee-4b"),
    Design("apertus", "ApertusModel", IDS, "", "apertus-8b"),
    Design("bitnet", "BitNetModel", IDS, "", "bitnet-2b"),
    Design("diffllama", "DiffLlamaModel", IDS, "", "diffllama"),
    Design("exaone4", "Exaone4Model", IDS, "", "exaone-4"),
    Design("smollm3", "SmolLM3Model", IDS, "", "smollm3-3b"),
    Design("minicpm3", "MiniCPM3Model", IDS, "", "minicpm3-4b"),
    Design("nanochat", "NanoChatModel", IDS, "", "nanochat"),
    Design("modernbert_decoder", "ModernBertDecoderModel", IDS, "", "modernbert-decoder"),
    Design("jais2", "Jais2Model", IDS, "", "jais-2"),
    Design("doge", "DogeModel", IDS, "", "doge"),
    Design("mixtral", "MixtralModel", IDS, GROUPED, """
        mixtral-8x7b 4096 32 32 14336 8 32000
        mixtral-8x22b 6144 56 48 16384 8 32768
    """),
    Design("mixtral", "PhimoeModel", IDS, "", "phi-3.5-moe"),
    Design("qwen2_moe", "Qwen2MoeModel", IDS, "", "qwen1.5-moe-a2.7b"),
    Design("qwen3_moe", "Qwen3MoeModel", IDS, "", "qwen3-moe"),
    Design("olmoe", "OlmoeModel", IDS, "", "olmoe-1b-7b"),
    Design("granitemoe", "GraniteMoeModel", IDS, "", "granitemoe"),
    Design("granitemoe", "GraniteMoeSharedModel", IDS, "", "granitemoeshared", {
        "shared_intermediate_size": 1024,
    }),
    Design("jetmoe", "JetMoeModel", IDS, "", "jetmoe"),
    Design("gpt_oss", "GptOssModel", IDS, "num_hidden_layers num_local_experts", """
        gpt-oss-20b 24 32
        gpt-oss-120b 36 128
    """),
    Design("deepseek_v2", "DeepseekV2Model", IDS, "", "deepseek-v2"),
    Design("deepseek_v3", "DeepseekV3Model", IDS, "num_hidden_layers", "deepseek-v3 61"),
    Design("llama4", "Llama4TextModel", IDS, "", "llama-4-scout"),
    Design("ernie4_5_moe", "Ernie4_5_MoeModel", IDS, "", "ernie-4.5-21b-a3b"),
    Design("glm4_moe", "Glm4MoeModel", IDS, "", "glm-4.5-air"),
    Design("mamba", "MambaModel", FEW_IDS, "hidden_size num_hidden_layers", """
        mamba-130m 768 24
        mamba-370m 1024 48
        mamba-790m 1536 48
        mamba-1.4b 2048 48
        mamba-2.8b 2560 64
    """),
    Design("mamba", "FalconMambaModel", FEW_IDS, "hidden_size num_hidden_layers", """
        falcon-mamba-7b 4096 64
    """),
    Design("mamba2", "Mamba2Model", FEW_IDS, "hidden_size num_hidden_layers num_heads", """
        mamba2-130m 768 24 24
        mamba2-370m 1024 48 32
        mamba2-780m 1536 48 48
        mamba2-1.3b 2048 48 64
        mamba2-2.7b 2560 64 80
    """),
    Design("rwkv", "RwkvModel", FEW_IDS, "hidden_size num_hidden_layers attention_hidden_size", """
        rwkv-4-169m 768 12 768
        rwkv-4-430m 1024 24 1024
        rwkv-4-1b5 2048 24 2048
        rwkv-4-3b 2560 32 2560
    """),
    Design("recurrent_gemma", "RecurrentGemmaModel", FEW_IDS, "", "recurrentgemma-2b"),
    Design("xlstm", "xLSTMModel", FEW_IDS, "", "xlstm-7b"),
    Design("jamba", "JambaModel", FEW_IDS, "num_hidden_layers", "jamba 32"),
    Design("bamba", "BambaModel", FEW_IDS, "", "bamba-9b"),
    Design("zamba", "ZambaModel", FEW_IDS, "", "zamba-7b"),
    Design("zamba2", "Zamba2Model", FEW_IDS, "", "zamba2"),
    Design("falcon_h1", "FalconH1Model", FEW_IDS, "", "falcon-h1"),
    Design("lfm2", "Lfm2Model", IDS, "", "lfm2"),
    Design("qwen3_next", "Qwen3NextModel", FEW_IDS, "", "qwen3-next"),
    Design("minimax", "MiniMaxModel", IDS, "", "minimax"),
)  # fmt: skip
