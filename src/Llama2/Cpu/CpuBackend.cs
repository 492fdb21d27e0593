using System.Globalization;

namespace Llama2;

/// <summary>The embedded default: pure C#, on every processor that .NET runs on.</summary>
internal sealed unsafe class CpuBackend : LlamaBackend
{
    private readonly CpuWeights _weights;
    private readonly WorkerGroup _workers;
    private readonly CpuForwardPass _pass;
    private readonly BackgroundPacking? _packing;
    private readonly WeightFormat _cacheFormat;
    private bool _disposed;

    private CpuBackend(Checkpoint checkpoint, LlamaModelOptions options, CpuWeights weights, WorkerGroup workers)
    {
        (Config, _weights, _workers) = (checkpoint.Config, weights, workers);
        (ContextLength, _cacheFormat) = (options.ContextLength ?? Config.ContextLength, CacheFormat(checkpoint, options));
        _pass = new CpuForwardPass(Config, weights, workers);
        Info = new BackendInfo("cpu", StripeKernels.InstructionSet, workers.Threads, Formats(weights), weights.Bytes, CacheBytesPerToken(Config, _cacheFormat));
        _packing = weights.Unpacked.Count > 0 ? new BackgroundPacking(weights.Unpacked, workers) : null;
    }

    public override BackendInfo Info { get; }

    public override LlamaConfig Config { get; }

    public override int ContextLength { get; }

    /// <summary>Told what every block of a pass leaves.</summary>
    public BlockOutput? BlockDone
    {
        set => _pass.BlockDone = value;
    }

    /// <summary>Reads the weights; the checkpoint must stay open as long as the backend lives.</summary>
    public static CpuBackend Load(Checkpoint checkpoint, LlamaModelOptions options, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        var workers = new WorkerGroup(options.Threads ?? Environment.ProcessorCount);
        CpuWeights? weights = null;
        try
        {
            weights = CpuWeights.Load(checkpoint, options, workers, progress, cancellationToken);
            return new CpuBackend(checkpoint, options, weights, workers);
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
        new("cpu", StripeKernels.InstructionSet, options.Threads ?? Environment.ProcessorCount, "", 0, 0);

    /// <summary>What <see cref="Load"/> would take.</summary>
    public static MemoryEstimate Estimate(Checkpoint checkpoint, LlamaModelOptions options, long adapterBytes = 0)
    {
        LlamaConfig config = checkpoint.Config;
        long owned = 0, mapped = 0;
        foreach ((string name, _, _) in TensorNames.Required(config))
        {
            CheckpointTensor tensor = checkpoint.Tensors[name];
            WeightPlacement placement = CpuWeights.PlacementOf(tensor, options, config.TieWordEmbeddings);
            mapped += placement == WeightPlacement.Mapped ? tensor.ByteSize : 0;
            owned += CpuWeights.BytesOf(tensor, options.WeightFormat, placement);
        }

        int context = options.ContextLength ?? config.ContextLength, threads = options.Threads ?? Environment.ProcessorCount;
        int widest = Math.Max(Math.Max(config.IntermediateSize, config.HiddenSize), config.HeadCount * config.HeadSize);
        int batch = Math.Min(options.BatchTokens, context);
        long logits = (long)config.VocabularySize * Math.Min(batch, options.MaxConcurrentSequences) * sizeof(float);
        long perThread = CpuAttention.ScratchBytes(config) + sizeof(float) * (long)WeightMatrix.StripeRows * widest + WeightMatrix.SumsBytes(batch);
        long perToken = CpuBuffers.BytesPerToken(config) + InputTiles.BytesPerRow(widest);
        return new MemoryEstimate(
            owned, mapped, CacheBytesPerToken(config, CacheFormat(checkpoint, options)), context, batch * perToken + threads * perThread + logits, adapterBytes);
    }

    /// <summary>Copies the numbers in single precision; a batch then multiplies them beside the matrices.</summary>
    public override BackendAdapter LoadAdapter(LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ObjectDisposedException.ThrowIf(_disposed, this);
        adapter.ThrowIfMisfit(Config);
        return new CpuAdapter(_weights, adapter);
    }

    /// <summary>Waits until no weights are packed in the background any more; no pass may run meanwhile.</summary>
    public void WaitUntilPacked()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _packing?.Wait();
    }

    /// <summary>How fast the weights that every token meets can be read on the threads of the model, once they are packed; no pass may run meanwhile.</summary>
    /// <param name="time">For how long to read.</param>
    /// <returns>Bytes per second.</returns>
    public double MeasureReading(TimeSpan time)
    {
        WaitUntilPacked();
        return new WeightReading(_weights.MultipliedMatrices, _workers).Measure(time);
    }

    public override KeyValueCache CreateCache() => new CpuKeyValueCache(Config, ContextLength, _cacheFormat);

    public override long CacheBytes(int tokens) =>
        ((long)tokens + CpuKeyValueCache.BlockTokens - 1) / CpuKeyValueCache.BlockTokens * CpuKeyValueCache.BlockBytes(Config, _cacheFormat);

    public override void Forward(LlamaBatch batch, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);       // the pass works on bare pointers, which do not know
        Check(batch, logits.Length);
        foreach (BatchPiece piece in batch.Pieces)
        {
            ((CpuKeyValueCache)piece.Cache).Reserve(piece.Cache.Length + piece.Count);
        }

        _packing?.BeginPass();
        try
        {
            fixed (float* rows = logits)
            {
                _pass.Run(batch, rows);
            }
        }
        finally
        {
            _packing?.EndPass();
        }

        foreach (BatchPiece piece in batch.Pieces)
        {
            ((CpuKeyValueCache)piece.Cache).Advance(piece.Count);
        }
    }

    protected override void Dispose(bool disposing)
    {
        _disposed = true;
        _packing?.Dispose();
        _workers.Dispose();
        _pass.Dispose();
        _weights.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>A model of singles keeps keys and values as exactly; any other loses nothing by halves that its weights have not lost before.</summary>
    private static WeightFormat CacheFormat(Checkpoint checkpoint, LlamaModelOptions options) => options.CacheFormat ??
        (CpuWeights.FormatOf(checkpoint.Tensors[TensorNames.Key(0)], options.WeightFormat) == WeightFormat.F32 ? WeightFormat.F32 : WeightFormat.F16);

    private static long CacheBytesPerToken(LlamaConfig config, WeightFormat format) =>
        CpuKeyValueCache.BlockBytes(config, format) / CpuKeyValueCache.BlockTokens;

    private static string Formats(CpuWeights weights) => string.Join(", ", weights.Matrices
        .GroupBy(matrix => matrix.Format, (format, matrices) => (Format: format, Bytes: matrices.Sum(matrix => matrix.ByteSize)))
        .OrderByDescending(group => group.Bytes)
        .Select(group => string.Create(CultureInfo.InvariantCulture, $"{group.Format} {group.Bytes / 1e6:0.#} MB")));

    /// <summary>Everything that could go wrong is found before anything changes.</summary>
    private void Check(LlamaBatch batch, int logitsLength)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Check(Config, logitsLength);
        foreach (BatchPiece piece in batch.Pieces)
        {
            if (piece.Cache is not CpuKeyValueCache cache || !cache.Fits(Config, _cacheFormat))
            {
                throw new ArgumentException("A cache of another backend or model is in the batch.", nameof(batch));
            }

            if (piece.Adapter is not (null or CpuAdapter) || piece.Adapter is CpuAdapter adapter && !adapter.Fits(_weights))
            {
                throw new ArgumentException("An adapter of another backend, or one that is disposed, is in the batch.", nameof(batch));
            }
        }
    }
}
