using System.Text.Json;

namespace Llama2;

/// <summary>Reads <c>adapter_config.json</c>: what changes the result is understood or refused, what only steered the training is passed over.</summary>
internal static class PeftConfig
{
    // Each of these makes the result differ from W·x + scale · B·A·x, or changes what a tensor of the file means.
    private static readonly string[] _flags = ["use_dora", "use_qalora", "lora_bias", "fan_in_fan_out"];
    private static readonly string[] _settings =
    [
        "rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform", "layer_replication", "exclude_modules", "target_parameters",
        "trainable_token_indices", "alora_invocation_tokens", "arrow_config",
    ];

    // The others (pissa, olora, corda, loftq) begin by changing the model's own weights, which an adapter alone does not tell.
    private static readonly string[] _initializations = ["gaussian", "eva", "orthogonal"];

    /// <param name="fields">The file.</param>
    /// <param name="tensors">The names of the adapter's tensors, which say what a pattern for the target modules matched.</param>
    public static (LoraOptions Options, string BaseModel) Read(ConfigFields fields, IEnumerable<string> tensors)
    {
        Expect("peft_type", fields.String("peft_type") == "LORA", fields.String("peft_type") ?? "nothing", "LORA");
        Expect("bias", (fields.String("bias") ?? "none") == "none", fields.String("bias") ?? "", "none");
        foreach (string name in _flags)
        {
            Expect(name, fields.Boolean(name) is not true, "true", "false: it is not supported");
        }

        foreach (string name in _settings)
        {
            if (fields.TryGet(name, out JsonElement value) && !IsEmpty(value))
            {
                throw fields.Error(name, ConfigFields.Text(value), "nothing: it is not supported");
            }
        }

        if (fields.TryGet("init_lora_weights", out JsonElement initialization) && initialization.ValueKind == JsonValueKind.String)
        {
            string kind = initialization.GetString()!;
            Expect("init_lora_weights", _initializations.Contains(kind), kind, "an initialization that leaves the model's own weights as they are");
        }

        var options = new LoraOptions
        {
            Rank = fields.RequiredInt32("r"),
            Alpha = fields.Single("lora_alpha") ?? throw fields.Error("lora_alpha", "nothing", "a number"),
            Dropout = fields.Single("lora_dropout") ?? 0,
            RankStabilized = fields.Boolean("use_rslora") ?? false,
            TargetModules = TargetModules(fields, tensors),
        };
        try
        {
            options.Validate();
        }
        catch (ArgumentException exception)
        {
            throw fields.Error(exception.ParamName ?? "settings", exception.Message.TrimEnd('.'), "what an adapter of a Llama block can have", exception);
        }

        return (options, fields.String("base_model_name_or_path") ?? "");

        void Expect(string name, bool holds, string found, string expected)
        {
            if (!holds)
            {
                throw fields.Error(name, found, expected);
            }
        }
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.String => value.ValueEquals(""),
        _ => false,
    };

    /// <summary>A list of names; or a pattern, and then the projections that the file has tensors for.</summary>
    private static string[] TargetModules(ConfigFields fields, IEnumerable<string> tensors)
    {
        const string Expected = "a list of names, or a pattern for them";
        if (!fields.TryGet("target_modules", out JsonElement modules))
        {
            throw fields.Error("target_modules", "nothing", Expected);
        }

        return modules.ValueKind switch
        {
            JsonValueKind.Array when modules.EnumerateArray().All(module => module.ValueKind == JsonValueKind.String) =>
                [.. modules.EnumerateArray().Select(module => module.GetString()!)],
            JsonValueKind.String => [.. LoraOptions.AllModules.Where(module => tensors.Any(name => LoraNames.IsBeside(name, module)))],
            _ => throw fields.Error("target_modules", ConfigFields.Text(modules), Expected),
        };
    }
}
