using System.Globalization;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>The backend on TorchSharp: weights, caches and the forward pass on a GPU, or on the CPU through libtorch.</summary>
internal sealed class TorchBackend : LlamaBackend
{
    private readonly TorchDevice _device;
    private readonly TorchWeights _weights;
    private readonly TorchCachePool _caches;
    private readonly TorchForwardPass _pass;
    private readonly ScalarType _type;
    private readonly Device _place;
    private bool _disposed;

    private TorchBackend(Checkpoint checkpoint, LlamaModelOptions options, TorchDevice device, Device place, WeightFormat format, TorchWeights weights)
    {
        (Config, _device, _place, _weights, _type) = (checkpoint.Config, device, place, weights, TorchTypes.Of(format));
        ContextLength = options.ContextLength ?? Config.ContextLength;
        _caches = new TorchCachePool(Config, ContextLength, _type, place, device.Name);
        _pass = new TorchForwardPass(Config, weights, _caches, _type, place);
        string formats = string.Create(CultureInfo.InvariantCulture, $"{format} {weights.Bytes / 1e6:0.#} MB");
        Info = new BackendInfo(device.Name, $"libtorch {Version.Parse(__version__).ToString(3)}", device.IsCpu ? get_num_threads() : 1, formats, weights.Bytes, _caches.RowBytes);
    }

    public override BackendInfo Info { get; }

    public override LlamaConfig Config { get; }

    public override int ContextLength { get; }

    /// <summary>Told what every block of a pass leaves; the rows of a batch of one piece are in its order.</summary>
    internal BlockOutput? BlockDone
    {
        set => _pass.BlockDone = value;
    }

    /// <summary>Bytes of keys and values on the device, free rows included.</summary>
    internal long PoolBytes => _caches.Bytes;

    /// <summary>Starts libtorch and brings the weights to the device.</summary>
    public static TorchBackend Load(
        Checkpoint checkpoint, LlamaModelOptions options, TorchDevice device, ScalarType? dtype = null,
        IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        WeightFormat format = TorchTypes.Choose(checkpoint, options, dtype);
        Device place = device.Start();
        if (device.IsCpu && options.Threads is { } threads)
        {
            set_num_threads(threads);
        }

        long bytes = TorchWeights.BytesOf(checkpoint.Config, format);
        if (device.IsCpu && options.CheckMemory)
        {
            long cache = 2L * checkpoint.Config.LayerCount * checkpoint.Config.KeyValueHeadCount * checkpoint.Config.HeadSize * format.BlockBytes();
            new MemoryEstimate(bytes, 0, cache, options.ContextLength ?? checkpoint.Config.ContextLength, 0).ThrowIfAbove(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, checkpoint.Path);
        }

        try
        {
            TorchWeights weights = TorchWeights.Load(checkpoint, format, place, options.Threads ?? Environment.ProcessorCount, progress, cancellationToken);
            return new TorchBackend(checkpoint, options, device, place, format, weights);
        }
        catch (Exception exception) when (TorchErrors.IsOutOfMemory(exception))
        {
            throw TorchErrors.OutOfMemory(
                device.Name, string.Create(CultureInfo.InvariantCulture, $"The weights of {checkpoint.Path} ({bytes / 1e9:0.00} GB as {format})"),
                "Choose a smaller type or model.", exception);
        }
    }

    public override KeyValueCache CreateCache() => new TorchKeyValueCache(_caches, ContextLength);

    public override long CacheBytes(int tokens) => _caches.RowsFor(tokens) * _caches.RowBytes;

    /// <summary>Copies the numbers to the device, in the type of the weights.</summary>
    public override BackendAdapter LoadAdapter(LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ObjectDisposedException.ThrowIf(_disposed, this);
        adapter.ThrowIfMisfit(Config);
        try
        {
            return new TorchAdapter(_weights, Config, adapter, _type, _place);
        }
        catch (Exception exception) when (TorchErrors.IsOutOfMemory(exception))
        {
            throw TorchErrors.OutOfMemory(_device.Name, "The adapter", "Unload another one.", exception);
        }
    }

    public override void Forward(LlamaBatch batch, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Check(batch, logits.Length);
        lock (_caches.Gate)                                              // whoever forks a cache meanwhile may move the pool
        {
            foreach (BatchPiece piece in batch.Pieces)
            {
                _caches.Reserve((TorchKeyValueCache)piece.Cache, piece.Cache.Length + piece.Count);
            }

            try
            {
                _pass.Run(batch, logits);
            }
            catch (Exception exception) when (TorchErrors.IsOutOfMemory(exception))
            {
                throw TorchErrors.OutOfMemory(
                    _device.Name, $"A forward pass of {batch.Tokens.Length} tokens", $"Set {nameof(LlamaModelOptions.BatchTokens)} or the number of sequences lower.", exception);
            }
        }

        foreach (BatchPiece piece in batch.Pieces)
        {
            ((TorchKeyValueCache)piece.Cache).Advance(piece.Count);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (!_disposed)
        {
            _disposed = true;
            _pass.Dispose();
            _caches.Dispose();
            _weights.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>Everything that could go wrong is found before anything changes.</summary>
    private void Check(LlamaBatch batch, int logitsLength)
    {
        ArgumentNullException.ThrowIfNull(batch);
        batch.Check(Config, logitsLength);
        foreach (BatchPiece piece in batch.Pieces)
        {
            if (piece.Cache is not TorchKeyValueCache cache || !cache.Fits(_caches))
            {
                throw new ArgumentException("A cache of another backend or model, or one that is disposed, is in the batch.", nameof(batch));
            }

            if (piece.Adapter is not (null or TorchAdapter) || piece.Adapter is TorchAdapter adapter && !adapter.Fits(_weights))
            {
                throw new ArgumentException("An adapter of another backend, or one that is disposed, is in the batch.", nameof(batch));
            }
        }
    }
}
