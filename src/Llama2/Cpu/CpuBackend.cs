using System.Globalization;

namespace Llama2;

/// <summary>The embedded default: pure C#, on every processor that .NET runs on.</summary>
internal sealed unsafe class CpuBackend : LlamaBackend
{
    private readonly CpuWeights _weights;
    private readonly WorkerGroup _workers;
    private readonly CpuForwardPass _pass;
    private bool _disposed;

    private CpuBackend(LlamaConfig config, int contextLength, CpuWeights weights, WorkerGroup workers)
    {
        (Config, ContextLength, _weights, _workers) = (config, contextLength, weights, workers);
        _pass = new CpuForwardPass(config, weights, workers);
        Info = new BackendInfo("cpu", DotKernels.InstructionSet, workers.Threads, Formats(weights), weights.Bytes, CacheBytesPerToken(config));
    }

    public override BackendInfo Info { get; }

    public override LlamaConfig Config { get; }

    public override int ContextLength { get; }

    /// <summary>Reads the weights; the checkpoint must stay open as long as the backend lives.</summary>
    public static CpuBackend Load(Checkpoint checkpoint, LlamaModelOptions options, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var workers = new WorkerGroup(options.Threads ?? Environment.ProcessorCount);
        CpuWeights? weights = null;
        try
        {
            weights = CpuWeights.Load(checkpoint, options.WeightFormat, workers, progress, cancellationToken);
            return new CpuBackend(checkpoint.Config, options.ContextLength ?? checkpoint.Config.ContextLength, weights, workers);
        }
        catch
        {
            weights?.Dispose();
            workers.Dispose();
            throw;
        }
    }

    /// <summary>What <see cref="Load"/> would run on, without a model.</summary>
    public static BackendInfo Describe(LlamaModelOptions options) =>
        new("cpu", DotKernels.InstructionSet, options.Threads ?? Environment.ProcessorCount, "", 0, 0);

    /// <summary>What <see cref="Load"/> would take.</summary>
    public static MemoryEstimate Estimate(Checkpoint checkpoint, LlamaModelOptions options)
    {
        LlamaConfig config = checkpoint.Config;
        long owned = 0, mapped = 0;
        foreach ((string name, int rows, int columns) in TensorNames.Required(config))
        {
            CheckpointTensor tensor = checkpoint.Tensors[name];
            if (CpuWeights.StaysMapped(tensor, options.WeightFormat))
            {
                mapped += tensor.ByteSize;
            }
            else
            {
                owned += rows * CpuWeights.FormatOf(tensor, options.WeightFormat).RowBytes(columns);
            }
        }

        int context = options.ContextLength ?? config.ContextLength, threads = options.Threads ?? Environment.ProcessorCount;
        long widest = Math.Max(Math.Max(config.IntermediateSize, config.HiddenSize), config.HeadCount * config.HeadSize);
        int batch = Math.Min(options.BatchTokens, context);
        long logits = (long)config.VocabularySize * Math.Min(batch, options.MaxConcurrentSequences) * sizeof(float);
        long perThread = sizeof(float) * (WeightMatrix.StripeRows * widest + context);
        return new MemoryEstimate(owned, mapped, CacheBytesPerToken(config), context, batch * CpuBuffers.BytesPerToken(config) + threads * perThread + logits);
    }

    public override KeyValueCache CreateCache() => new CpuKeyValueCache(Config, ContextLength);

    public override long CacheBytes(int tokens) =>
        ((long)tokens + CpuKeyValueCache.BlockTokens - 1) / CpuKeyValueCache.BlockTokens * CpuKeyValueCache.BlockBytes(Config);

    public override void Forward(LlamaBatch batch, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);       // the pass works on bare pointers, which do not know
        Check(batch, logits.Length);
        foreach (BatchPiece piece in batch.Pieces)
        {
            ((CpuKeyValueCache)piece.Cache).Reserve(piece.Cache.Length + piece.Count);
        }

        fixed (float* rows = logits)
        {
            _pass.Run(batch, rows);
        }

        foreach (BatchPiece piece in batch.Pieces)
        {
            ((CpuKeyValueCache)piece.Cache).Advance(piece.Count);
        }
    }

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _workers.Dispose();
        _pass.Dispose();
        _weights.Dispose();
        base.Dispose(disposing);
    }

    private static long CacheBytesPerToken(LlamaConfig config) => CpuKeyValueCache.BlockBytes(config) / CpuKeyValueCache.BlockTokens;

    private static string Formats(CpuWeights weights) => string.Join(", ", weights.Matrices
        .GroupBy(matrix => matrix.Format, (format, matrices) => (Format: format, Bytes: matrices.Sum(matrix => matrix.ByteSize)))
        .OrderByDescending(group => group.Bytes)
        .Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Format} {group.Bytes / 1e6:0.#} MB")));

    /// <summary>Everything that could go wrong is found before anything changes.</summary>
    private void Check(LlamaBatch batch, int logitsLength)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (batch.Tokens.Length == 0)
        {
            throw new ArgumentException("The batch is empty.", nameof(batch));
        }

        if (logitsLength < (long)batch.LogitRowCount * Config.VocabularySize)
        {
            throw new ArgumentException($"The batch wants {batch.LogitRowCount} rows of {Config.VocabularySize} logits; there is room for {logitsLength} numbers.", nameof(batch));
        }

        foreach (int token in batch.Tokens)
        {
            if ((uint)token >= (uint)Config.VocabularySize)
            {
                throw new ArgumentException($"Token {token} is not in the vocabulary of {Config.VocabularySize}.", nameof(batch));
            }
        }

        foreach (BatchPiece piece in batch.Pieces)
        {
            if (piece.Cache is not CpuKeyValueCache cache || !cache.Fits(Config))
            {
                throw new ArgumentException("A cache of another backend or model is in the batch.", nameof(batch));
            }

            if (piece.Count > cache.Capacity - cache.Length)
            {
                throw new ArgumentException($"The cache holds {cache.Length} of {cache.Capacity} tokens and cannot take {piece.Count} more.", nameof(batch));
            }
        }
    }
}
