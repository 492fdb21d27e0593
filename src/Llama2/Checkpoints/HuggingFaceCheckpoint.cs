namespace Llama2;

/// <summary>A Hugging Face folder: <c>config.json</c>, safetensors, and a tokenizer where it has one.</summary>
internal sealed class HuggingFaceCheckpoint : Checkpoint
{
    public const string ConfigName = "config.json";
    public const string GenerationConfigName = "generation_config.json";
    public const string WeightsName = "model.safetensors";
    public const string IndexName = "model.safetensors.index.json";
    private const int MaxIndexBytes = 16 << 20;
    private const int MaxShards = 1024;

    private readonly GenerationOptions _generationDefaults = new();
    private readonly Dictionary<string, CheckpointTensor> _tensors = [];
    private readonly List<MappedFile> _files = [];

    /// <param name="folder">The folder.</param>
    /// <param name="configName">The name of its <c>config.json</c>, where another one than the usual is meant.</param>
    public HuggingFaceCheckpoint(string folder, string configName = ConfigName)
    {
        Path = folder;
        string configPath = System.IO.Path.Combine(folder, configName), generationPath = System.IO.Path.Combine(folder, GenerationConfigName);
        LlamaConfig config = HuggingFaceConfig.ReadConfig(configPath);
        if (File.Exists(generationPath))
        {
            (_generationDefaults, int[] ids) = HuggingFaceConfig.ReadGeneration(generationPath);
            config = config with { EndOfTextIds = [.. config.EndOfTextIds.Union(ids)] };
        }

        config.Validate(configPath);
        Config = config;
        try
        {
            AddTensors(FindTensors());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override string Path { get; }

    public override string Layout => "Hugging Face";

    public override LlamaConfig Config { get; }

    public override GenerationOptions GenerationDefaults => _generationDefaults with { };

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    public override LlamaTokenizer? LoadTokenizer() => LoadTokenizer(Path);

    protected override void Dispose(bool disposing)
    {
        _files.ForEach(file => file.Dispose());
        base.Dispose(disposing);
    }

    /// <summary>Every tensor of every file by name, needed or not.</summary>
    private Dictionary<string, (MappedFile File, SafetensorsEntry Entry)> FindTensors()
    {
        string single = System.IO.Path.Combine(Path, WeightsName), index = System.IO.Path.Combine(Path, IndexName);
        var found = new Dictionary<string, (MappedFile, SafetensorsEntry)>();
        if (File.Exists(single))
        {
            AddFile(single, found);
            return found;
        }

        if (!File.Exists(index))
        {
            throw new CheckpointException(Path, "weights", DescribeWeights(), $"{WeightsName}, or shards with their {IndexName}");
        }

        Dictionary<string, string> shards = ConfigFields.ReadFile(index, MaxIndexBytes, ReadIndex);
        foreach (string shard in shards.Values.Distinct())
        {
            AddFile(System.IO.Path.Combine(Path, shard), found);
        }

        foreach ((string tensor, string shard) in shards)
        {
            if (!found.TryGetValue(tensor, out (MappedFile File, SafetensorsEntry) place) || System.IO.Path.GetFileName(place.File.Path) != shard)
            {
                throw new CheckpointException(index, $"weight_map: '{tensor}'", $"'{shard}', which lacks it", "the shard that holds the tensor");
            }
        }

        return found;
    }

    /// <summary>The shard of each tensor. The names come from the file, so none may lead out of the folder; links that the owner made there may.</summary>
    private static Dictionary<string, string> ReadIndex(ConfigFields fields)
    {
        ConfigFields map = fields.Object("weight_map") ?? throw fields.Error("weight_map", "nothing", "the shard of each tensor");
        var shards = new Dictionary<string, string>();
        foreach ((string tensor, string shard) in map.Strings())
        {
            if (shard.Length is 0 or > 255 || shard.AsSpan().ContainsAny("/\\:\0") || !shard.EndsWith(".safetensors", StringComparison.Ordinal))
            {
                throw map.Error(tensor, $"'{shard}'", "the plain name of a .safetensors file in the same folder");
            }

            if (!shards.TryAdd(tensor, shard))
            {
                throw map.Error(tensor, "two of that name", "one");
            }
        }

        int count = shards.Values.Distinct().Count();
        return count <= MaxShards ? shards : throw fields.Error("weight_map", $"{count:N0} shards", $"at most {MaxShards:N0}");
    }

    private void AddFile(string path, Dictionary<string, (MappedFile File, SafetensorsEntry Entry)> found)
    {
        if (!File.Exists(path))
        {
            throw new CheckpointException(path, "shard", "no file", $"the shard that {IndexName} names");
        }

        var file = new MappedFile(path);
        _files.Add(file);
        foreach (SafetensorsEntry entry in SafetensorsHeader.Read(file))
        {
            if (!found.TryAdd(entry.Name, (file, entry)))
            {
                throw new CheckpointException(path, $"tensor '{entry.Name}'", $"another one in {found[entry.Name].File.Path}", "one");
            }
        }
    }

    private void AddTensors(Dictionary<string, (MappedFile File, SafetensorsEntry Entry)> found)
    {
        RequireAll(Path, TensorNames.Required(Config), found.ContainsKey);
        foreach ((string name, int rows, int columns) in TensorNames.Required(Config))
        {
            (MappedFile file, SafetensorsEntry entry) = found[name];
            WeightFormat format = entry.DataType switch
            {
                "F32" => WeightFormat.F32,
                "F16" => WeightFormat.F16,
                "BF16" => WeightFormat.BF16,
                _ => throw new CheckpointException(file.Path, $"tensor '{name}'", entry.DataType, "F32, F16 or BF16"),
            };
            if (!entry.Shape.AsSpan().SequenceEqual([rows, columns]) && !(rows == 1 && entry.Shape.AsSpan().SequenceEqual([columns])))
            {
                string expected = rows == 1 ? $"[{columns}]" : $"[{rows}, {columns}]";
                throw new CheckpointException(file.Path, $"tensor '{name}'", $"shape [{string.Join(", ", entry.Shape)}]", $"{expected}, as {ConfigName} says");
            }

            _tensors.Add(name, new MappedTensor(name, format, rows, columns, file, entry.Offset));
        }
    }

    private string DescribeWeights() =>
        Directory.EnumerateFiles(Path, "pytorch_model*.bin").Any() ? "pytorch_model.bin, which only Python reads safely" : "none";
}
