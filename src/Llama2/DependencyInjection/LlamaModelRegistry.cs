using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Llama2;

/// <summary>Loads a model; tests put another one into the container.</summary>
internal delegate LlamaModel LlamaModelLoader(string path, LlamaModelOptions options, ILoggerFactory? loggerFactory, CancellationToken cancellationToken);

/// <summary>One call of <c>AddLlama2ChatClient</c>. Compared by reference, since two calls may say the same.</summary>
internal sealed class LlamaModelRegistration(string path, string name, object? serviceKey)
{
    /// <summary>The full path.</summary>
    public string Path { get; } = path;

    /// <summary>The name of the options.</summary>
    public string Name { get; } = name;

    public object? ServiceKey { get; } = serviceKey;
}

/// <summary>Owns the models of a container: one per path and options, loaded at the first call, disposed with the container. Thread-safe.</summary>
internal sealed class LlamaModelRegistry(IOptionsFactory<LlamaModelOptions> optionsFactory, ILoggerFactory? loggerFactory, LlamaModelLoader? loader) : IDisposable
{
    private readonly LlamaModelLoader _loader = loader ?? Load;
    private readonly ConcurrentDictionary<(string Path, LlamaModelOptions Options), Slot> _slots = new(new KeyComparer());
    private readonly ConcurrentDictionary<LlamaModelRegistration, LlamaModel> _models = new();
    private readonly ConcurrentDictionary<LlamaModelRegistration, Exception> _failures = new();
    private readonly CancellationTokenSource _disposed = new();

    /// <summary>Gets the model and loads it if need be; concurrent callers wait for one load.</summary>
    public LlamaModel Get(LlamaModelRegistration registration)
    {
        try
        {
            Slot slot = _slots.GetOrAdd((registration.Path, optionsFactory.Create(registration.Name)), static key => new(key.Path, key.Options));
            LlamaModel model = slot.Get(_loader, loggerFactory, _disposed.Token);
            _models[registration] = model;
            _failures.TryRemove(registration, out _);
            return model;
        }
        catch (Exception exception)
        {
            Report(registration, exception);
            throw;
        }
    }

    /// <summary>The model if it is loaded; never waits.</summary>
    public LlamaModel? Loaded(LlamaModelRegistration registration) => _models.GetValueOrDefault(registration);

    /// <summary>Why the last attempt failed, if it did.</summary>
    public Exception? Failure(LlamaModelRegistration registration) => _failures.GetValueOrDefault(registration);

    /// <summary>Remembers a failure until the model is next resolved.</summary>
    public void Report(LlamaModelRegistration registration, Exception exception) => _failures[registration] = exception;

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed.Cancel();                          // ends a load that is under way; its slot is then free to lock
        foreach (Slot slot in _slots.Values)
        {
            slot.Dispose();
        }
    }

    private static LlamaModel Load(string path, LlamaModelOptions options, ILoggerFactory? loggerFactory, CancellationToken cancellationToken) =>
        LlamaModel.Load(Checkpoint.Open(path), options, progress: null, loggerFactory, cancellationToken);

    private sealed class Slot(string path, LlamaModelOptions options) : IDisposable
    {
        private readonly Lock _lock = new();
        private LlamaModel? _model;

        public LlamaModel Get(LlamaModelLoader loader, ILoggerFactory? loggerFactory, CancellationToken disposed)
        {
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(disposed.IsCancellationRequested, typeof(LlamaModelRegistry));
                return _model ??= loader(path, options, loggerFactory, disposed);
            }
        }

        public void Dispose()
        {
            lock (_lock)
            {
                _model?.Dispose();
                _model = null;
            }
        }
    }

    private sealed class KeyComparer : IEqualityComparer<(string Path, LlamaModelOptions Options)>
    {
        private static readonly StringComparer _paths = OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal;

        public bool Equals((string Path, LlamaModelOptions Options) x, (string Path, LlamaModelOptions Options) y) =>
            _paths.Equals(x.Path, y.Path) && LlamaModelOptionsComparer.AreEqual(x.Options, y.Options);

        public int GetHashCode((string Path, LlamaModelOptions Options) key) => _paths.GetHashCode(key.Path);
    }
}
