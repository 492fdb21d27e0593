using System.Text.Json;

namespace Llama2;

/// <summary>Adapters in the layout of Python's PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.</summary>
public static class PeftFolder
{
    private const string ConfigName = "adapter_config.json";
    private const string WeightsName = "adapter_model.safetensors";
    private const string PickleName = "adapter_model.bin";
    private const int MaxConfigBytes = 1 << 20;
    private static readonly JsonWriterOptions _indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>Writes an adapter; beside the target first, then renamed.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="path">The folder; made if it is missing, refused if it holds anything.</param>
    /// <param name="baseModel">
    /// The name or path under which the model below is found (<c>base_model_name_or_path</c>); <see langword="null"/> for the one it was trained on.
    /// </param>
    /// <exception cref="IOException">The folder holds something, is a file, or cannot be written.</exception>
    public static void Write(LoraAdapter adapter, string path, string? baseModel = null)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        NewFolder.Write(path, "an adapter", folder =>
        {
            WriteConfig(Path.Combine(folder, ConfigName), adapter, baseModel ?? adapter.BaseModel);
            SafetensorsWriter.Write(
                Path.Combine(folder, WeightsName), adapter.BaseModel, [.. adapter.Tensors], WeightFormat.F32, _ => { }, CancellationToken.None, vectors: false);
        });
    }

    /// <summary>Reads an adapter for a model of a shape.</summary>
    /// <param name="path">The folder. Nothing in it is trusted.</param>
    /// <param name="config">The shape of the model below.</param>
    /// <returns>The adapter, in memory: the folder is not needed afterwards.</returns>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="CheckpointException">A file is damaged, does not fit the shape, or asks for what is not supported (DoRA, biases, …).</exception>
    public static LoraAdapter Read(string path, LlamaConfig config)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ArgumentNullException.ThrowIfNull(config);
        string configPath = Path.Combine(path, ConfigName), weightsPath = Path.Combine(path, WeightsName);
        if (!File.Exists(weightsPath) && File.Exists(Path.Combine(path, PickleName)))
        {
            throw new CheckpointException(path, "weights", $"{PickleName}, which only Python reads safely", WeightsName);
        }

        foreach (string file in new[] { configPath, weightsPath })
        {
            if (!File.Exists(file))
            {
                throw new FileNotFoundException($"'{path}' is no PEFT folder: there is no {Path.GetFileName(file)}.", file);
            }
        }

        using var weights = new MappedFile(weightsPath);
        Dictionary<string, SafetensorsEntry> entries = SafetensorsHeader.Read(weights).ToDictionary(entry => entry.Name);
        (LoraOptions options, string baseModel) = ConfigFields.ReadFile(configPath, MaxConfigBytes, fields => PeftConfig.Read(fields, entries.Keys));
        return new(config, options, baseModel, ReadTensors(weights, entries, config, options));
    }

    private static void WriteConfig(string path, LoraAdapter adapter, string baseModel)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        using (var json = new Utf8JsonWriter(stream, _indented))
        {
            json.WriteStartObject();
            json.WriteString("base_model_name_or_path", baseModel);
            json.WriteString("bias", "none");
            json.WriteBoolean("fan_in_fan_out", false);
            json.WriteBoolean("inference_mode", true);
            json.WriteBoolean("init_lora_weights", true);
            json.WriteNumber("lora_alpha", adapter.Options.Alpha);
            json.WriteNumber("lora_dropout", adapter.Options.Dropout);
            json.WriteNull("modules_to_save");
            json.WriteString("peft_type", "LORA");
            json.WriteNumber("r", adapter.Options.Rank);
            json.WriteStartArray("target_modules");
            foreach (string module in adapter.Options.TargetModules)
            {
                json.WriteStringValue(module);
            }

            json.WriteEndArray();
            json.WriteString("task_type", "CAUSAL_LM");
            json.WriteBoolean("use_dora", false);
            json.WriteBoolean("use_rslora", adapter.Options.RankStabilized);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
    }

    private static List<CheckpointTensor> ReadTensors(
        MappedFile file, Dictionary<string, SafetensorsEntry> entries, LlamaConfig config, LoraOptions options)
    {
        var tensors = new List<CheckpointTensor>();
        foreach ((string name, int rows, int columns) in LoraNames.Shapes(config, options))
        {
            if (!entries.Remove(name, out SafetensorsEntry? entry))
            {
                throw new CheckpointException(file.Path, name, "no such tensor", $"[{rows}, {columns}]");
            }

            if (entry.Shape is not [long foundRows, long foundColumns] || foundRows != rows || foundColumns != columns)
            {
                throw new CheckpointException(file.Path, name, $"[{string.Join(", ", entry.Shape)}]", $"[{rows}, {columns}]");
            }

            if ((long)rows * columns > Array.MaxLength)
            {
                throw new CheckpointException(file.Path, name, $"{(long)rows * columns:N0} numbers", $"at most {Array.MaxLength:N0}");
            }

            WeightFormat format = entry.DataType switch
            {
                "F32" => WeightFormat.F32,
                "F16" => WeightFormat.F16,
                "BF16" => WeightFormat.BF16,
                _ => throw new CheckpointException(file.Path, name, entry.DataType, "F32, F16 or BF16"),
            };
            tensors.Add(MemoryTensor.Copy(new MappedTensor(name, format, rows, columns, file, entry.Offset)));
        }

        return entries.Count == 0 ? tensors : throw new CheckpointException(
            file.Path, entries.Keys.Order(StringComparer.Ordinal).First(), "a tensor", "none: the model has no such matrix, or target_modules does not name it");
    }
}
