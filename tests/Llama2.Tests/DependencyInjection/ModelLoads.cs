using Llama2.Testing;
using Microsoft.Extensions.Logging;

namespace Llama2.Tests;

/// <summary>Stands in for loading from disk: tiny models made in code, with every load and disposal counted.</summary>
internal sealed class ModelLoads
{
    private int _disposed;

    public List<(string Path, LlamaModelOptions Options, ILoggerFactory? LoggerFactory)> Loads { get; } = [];

    public int Disposed => Volatile.Read(ref _disposed);

    /// <summary>Thrown by the next loads, while it is set.</summary>
    public Exception? Failure { get; set; }

    /// <summary>What each load waits for.</summary>
    public Action<CancellationToken> Before { get; set; } = static _ => { };

    public LlamaModel Load(string path, LlamaModelOptions options, ILoggerFactory? loggerFactory, CancellationToken cancellationToken)
    {
        lock (Loads)
        {
            Loads.Add((path, options, loggerFactory));
        }

        Before(cancellationToken);
        return Failure is null
            ? LlamaModel.Load(new CountedCheckpoint(path, () => Interlocked.Increment(ref _disposed)), options, progress: null, loggerFactory, cancellationToken)
            : throw Failure;
    }

    private sealed class CountedCheckpoint(string path, Action disposed) : Checkpoint
    {
        private readonly RandomCheckpoint _inner = TinyModels.Create();

        public override string Path => path;

        public override string Layout => _inner.Layout;

        public override LlamaConfig Config => _inner.Config;

        public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _inner.Tensors;

        public override LlamaTokenizer? LoadTokenizer() => _inner.LoadTokenizer();

        protected override void Dispose(bool disposing)
        {
            disposed();
            base.Dispose(disposing);
        }
    }
}
