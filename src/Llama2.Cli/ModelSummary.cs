using System.Globalization;

namespace Llama2.Cli;

/// <summary>What <c>info</c> tells about a model.</summary>
internal sealed record ModelSummary(
    string Path, string Layout, LlamaConfig Config, IReadOnlyList<TensorClass> Tensors, int? TokenizerSize, MemoryEstimate Memory, BackendInfo Backend)
{
    public static ModelSummary Read(string path, LlamaModelOptions options)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        return new(
            path,
            checkpoint.Layout,
            checkpoint.Config,
            TensorClass.Group(checkpoint.Tensors.Values),
            checkpoint.LoadTokenizer()?.VocabularySize,
            LlamaModel.EstimateMemory(path, options),
            LlamaModel.DescribeBackend(options));
    }

    /// <summary>What people read, line by line.</summary>
    public IReadOnlyList<(string Name, string Value)> Lines()
    {
        string heads = Config.KeyValueHeadCount == Config.HeadCount ? "" : $", {Config.KeyValueHeadCount} for keys and values";
        string cache = ByteSize.Format(Memory.FullContextCacheBytes);
        return
        [
            ("path", Path),
            ("layout", Layout),
            ("architecture", "Llama"),
            ("parameters", Config.ParameterCount.ToString("N0", CultureInfo.InvariantCulture)),
            ("shape", $"{Config.LayerCount} layers, width {Config.HiddenSize}, feed-forward {Config.IntermediateSize}"),
            ("heads", $"{Config.HeadCount} of {Config.HeadSize}{heads}"),
            ("context", $"{Config.ContextLength} tokens"),
            ("rope", $"theta {Text(Config.RopeTheta)}{(Config.RopeScaling is { } scaling ? $", {Name(scaling.Kind)} scaling by {Text(scaling.Factor)}" : "")}"),
            ("vocabulary", $"{Config.VocabularySize} tokens, {(TokenizerSize is null ? "no tokenizer" : $"tokenizer with {TokenizerSize}")}"),
            ("output head", Config.TieWordEmbeddings ? "the embeddings" : "its own"),
            .. Tensors.Select(tensors => (tensors.Name, $"{tensors.Format}, {ByteSize.Format(tensors.Bytes)} in {tensors.Count}")),
            ("weights", $"{ByteSize.Format(Memory.WeightBytes)} in memory, {ByteSize.Format(Memory.MappedBytes)} mapped"),
            ("cache", $"{ByteSize.Format(Memory.CacheBytesPerToken)} per token, {cache} for {Memory.ContextLength} tokens"),
            ("buffers", ByteSize.Format(Memory.ActivationBytes)),
            ("memory", $"{ByteSize.Format(Memory.TotalBytes)} with one full context, besides what is mapped"),
            ("device", $"{Backend.Device}, {Backend.Threads} threads"),
            ("kernels", Backend.Kernels),
        ];
    }

    public string ToJson() => Json.Object(json =>
    {
        json.WriteString("path", Path);
        json.WriteString("layout", Layout);
        json.WriteString("architecture", "llama");
        json.WriteNumber("parameters", Config.ParameterCount);
        json.WriteNumber("layers", Config.LayerCount);
        json.WriteNumber("hidden_size", Config.HiddenSize);
        json.WriteNumber("intermediate_size", Config.IntermediateSize);
        json.WriteNumber("heads", Config.HeadCount);
        json.WriteNumber("key_value_heads", Config.KeyValueHeadCount);
        json.WriteNumber("head_size", Config.HeadSize);
        json.WriteNumber("context_length", Config.ContextLength);
        json.WriteNumber("rope_theta", Config.RopeTheta);
        json.WriteString("rope_scaling", Config.RopeScaling is { } scaling ? Name(scaling.Kind) : null);
        json.WriteNumber("rope_factor", Config.RopeScaling?.Factor ?? 1);
        json.WriteNumber("vocabulary_size", Config.VocabularySize);
        json.WriteBoolean("has_tokenizer", TokenizerSize is not null);
        json.WriteBoolean("tied_embeddings", Config.TieWordEmbeddings);
        json.WriteStartArray("tensors");
        foreach (TensorClass tensors in Tensors)
        {
            json.WriteStartObject();
            json.WriteString("class", tensors.Name);
            json.WriteString("format", tensors.Format.ToString());
            json.WriteNumber("count", tensors.Count);
            json.WriteNumber("bytes", tensors.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("memory");
        json.WriteNumber("weight_bytes", Memory.WeightBytes);
        json.WriteNumber("mapped_bytes", Memory.MappedBytes);
        json.WriteNumber("cache_bytes_per_token", Memory.CacheBytesPerToken);
        json.WriteNumber("context_length", Memory.ContextLength);
        json.WriteNumber("activation_bytes", Memory.ActivationBytes);
        json.WriteNumber("total_bytes", Memory.TotalBytes);
        json.WriteEndObject();
        json.WriteString("device", Backend.Device);
        json.WriteString("kernels", Backend.Kernels);
        json.WriteNumber("threads", Backend.Threads);
    });

    private static string Name(RopeScalingKind kind) => kind == RopeScalingKind.Linear ? "linear" : "dynamic";

    private static string Text(float number) => number.ToString(CultureInfo.InvariantCulture);
}
