using System.Text.Json;

namespace Llama2;

/// <summary>Reads <c>config.json</c> and <c>generation_config.json</c>, whose fields mean what transformers makes of them.</summary>
internal static class HuggingFaceConfig
{
    private const int MaxBytes = 1 << 20;

    /// <summary>Reads the shape; it is not yet validated, since <c>generation_config.json</c> may add ids.</summary>
    public static LlamaConfig ReadConfig(string path) => ConfigFields.ReadFile(path, MaxBytes, Config);

    /// <summary>Reads the generation settings and the ids that end a sequence.</summary>
    /// <remarks>
    /// What the file does not name stays unset. <c>max_length</c> (prompt and answer together) is passed over: it is the context length
    /// of the checkpoint, which <see cref="LlamaConfig.ContextLength"/> knows, or the toolkit's old default of 20, which nobody means.
    /// Settings of methods that are not ours, such as beam search, are passed over too.
    /// </remarks>
    public static (GenerationOptions Options, int[] EndOfTextIds) ReadGeneration(string path) => ConfigFields.ReadFile(path, MaxBytes, Generation);

    private static LlamaConfig Config(ConfigFields fields)
    {
        RequireLlama(fields);
        int heads = fields.RequiredInt32("num_attention_heads"), hidden = fields.RequiredInt32("hidden_size");
        if (heads < 1)
        {
            throw fields.Error("num_attention_heads", $"{heads}", "a positive number");
        }

        int? headSize = fields.Int32("head_dim");
        if (headSize is null && hidden % heads != 0)
        {
            throw fields.Error("hidden_size", $"{hidden}", $"a multiple of num_attention_heads ({heads}), or a head_dim");
        }

        ConfigFields? parameters = fields.Object("rope_parameters");      // the newer home of rope_theta and rope_scaling
        return new LlamaConfig
        {
            HiddenSize = hidden,
            IntermediateSize = fields.RequiredInt32("intermediate_size"),
            LayerCount = fields.RequiredInt32("num_hidden_layers"),
            HeadCount = heads,
            KeyValueHeadCount = fields.Int32("num_key_value_heads") ?? heads,
            HeadSize = headSize ?? hidden / heads,
            VocabularySize = fields.RequiredInt32("vocab_size"),
            ContextLength = fields.RequiredInt32("max_position_embeddings"),
            RmsNormEpsilon = fields.Single("rms_norm_eps") ?? 1e-6f,
            RopeTheta = parameters?.Single("rope_theta") ?? fields.Single("rope_theta") ?? 10_000f,
            RopeScaling = Scaling(parameters ?? fields.Object("rope_scaling")),
            TieWordEmbeddings = fields.Boolean("tie_word_embeddings") ?? false,
            BeginOfTextId = fields.Int32("bos_token_id") ?? 1,
            EndOfTextIds = fields.Ids("eos_token_id") ?? (fields.Contains("eos_token_id") ? [] : [2]),    // null means that nothing ends a text
        };
    }

    private static void RequireLlama(ConfigFields fields)
    {
        string? type = fields.String("model_type");
        if (type is not null && type != "llama")
        {
            throw fields.Error("model_type", $"'{type}'", "'llama'");
        }

        if (type is null && !(fields.TryGet("architectures", out JsonElement names) && names.ValueKind == JsonValueKind.Array
            && names.EnumerateArray().Any(name => name.ValueKind == JsonValueKind.String && name.GetString() == "LlamaForCausalLM")))
        {
            throw fields.Error("model_type", "nothing", "'llama', or LlamaForCausalLM among the architectures");
        }

        if (fields.String("hidden_act") is { } activation && activation != "silu")
        {
            throw fields.Error("hidden_act", $"'{activation}'", "'silu'");
        }

        foreach (string bias in (string[])["attention_bias", "mlp_bias"])
        {
            if (fields.Boolean(bias) == true)
            {
                throw fields.Error(bias, "true", "false: Llama 2 has no biases");
            }
        }

        if (fields.TryGet("quantization_config", out _))
        {
            throw fields.Error("quantization_config", "quantised tensors", "plain F32, F16 or BF16 tensors, or a GGUF file");
        }
    }

    private static RopeScaling? Scaling(ConfigFields? section)
    {
        if (section is not { } fields)
        {
            return null;
        }

        string? type = fields.String("rope_type") ?? fields.String("type");
        return type switch
        {
            "linear" => new(RopeScalingKind.Linear, Factor()),
            "dynamic" => new(RopeScalingKind.Dynamic, Factor()),
            "default" => null,
            null when !fields.Contains("factor") => null,
            null => throw fields.Error("rope_type", "nothing", "'linear', 'dynamic' or 'default'"),
            _ => throw fields.Error("rope_type", $"'{type}'", "'linear', 'dynamic' or 'default'"),
        };

        float Factor() => fields.Single("factor") ?? throw fields.Error("factor", "nothing", "a number of at least 1");
    }

    private static (GenerationOptions Options, int[] EndOfTextIds) Generation(ConfigFields fields)
    {
        var options = new GenerationOptions
        {
            DoSample = fields.Boolean("do_sample"),
            Temperature = fields.Single("temperature"),
            TopK = fields.Int32("top_k"),
            TopP = fields.Single("top_p"),
            MinP = fields.Single("min_p"),
            TypicalP = fields.Single("typical_p"),
            RepetitionPenalty = fields.Single("repetition_penalty"),
            NoRepeatNgramSize = fields.Int32("no_repeat_ngram_size"),
            MaxNewTokens = fields.Int32("max_new_tokens"),
            MinNewTokens = fields.Int32("min_new_tokens"),
        };
        try
        {
            options.Validate();
        }
        catch (ArgumentException exception)
        {
            string found = $"one out of range ({exception.Message.TrimEnd('.')})";
            throw new CheckpointException(fields.File, "settings", found, "settings in their ranges", exception);
        }

        return (options, fields.Ids("eos_token_id") ?? []);
    }
}
