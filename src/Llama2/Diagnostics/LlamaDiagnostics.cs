using Microsoft.Extensions.Logging;

namespace Llama2;

/// <summary>What the engine tells the outside about a request: metrics and log messages.</summary>
internal sealed class LlamaDiagnostics : IDisposable
{
    public LlamaDiagnostics(string modelId, bool enableSensitiveData, ILoggerFactory? loggerFactory)
    {
    }

    /// <summary>A request was accepted and waits.</summary>
    public void Queued() => throw new NotImplementedException();

    /// <summary>A request's first forward pass begins.</summary>
    public void Started() => throw new NotImplementedException();

    /// <summary>A request ended with a result, cancelled ones included.</summary>
    public void Completed(GenerationResult result) => throw new NotImplementedException();

    /// <summary>A request ended with an error.</summary>
    public void Failed(Exception exception) => throw new NotImplementedException();

    public void Dispose()
    {
    }
}
