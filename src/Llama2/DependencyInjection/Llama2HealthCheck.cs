using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Llama2;

/// <summary>Tells whether the registered models are ready: <c>services.AddHealthChecks().AddCheck&lt;Llama2HealthCheck&gt;("llama2")</c>.</summary>
/// <remarks>
/// <para>
/// It looks at every model of <c>AddLlama2ChatClient</c> and reports the worst: the registration's failure status (by default unhealthy) if
/// the last load or warm-up of one failed, degraded while one is not loaded yet, healthy once all are. It never loads or waits. To make
/// a service wait for its models, add <c>AddLlama2WarmUp</c> and let the readiness endpoint answer 503 to degraded.
/// </para>
/// <para>
/// The data hold, for each loaded model under the name of its registration: <c>{name}.model</c>, <c>{name}.device</c>,
/// <c>{name}.kernels</c>, <c>{name}.threads</c>, <c>{name}.weightBytes</c>, and the requests <c>{name}.running</c> and <c>{name}.queued</c>.
/// Thread-safe.
/// </para>
/// </remarks>
public sealed class Llama2HealthCheck : IHealthCheck
{
    private readonly LlamaModelRegistry _registry;
    private readonly LlamaModelRegistration[] _registrations;

    internal Llama2HealthCheck(LlamaModelRegistry registry, IEnumerable<LlamaModelRegistration> registrations) =>
        (_registry, _registrations) = (registry, [.. registrations]);

    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        var data = new Dictionary<string, object>();
        var problems = new List<string>();
        Exception? failure = null;
        foreach (LlamaModelRegistration registration in _registrations)
        {
            if (_registry.Failure(registration) is { } exception)
            {
                failure ??= exception;
                problems.Add($"'{registration.Name}' failed: {exception.Message}");
            }
            else if (_registry.Loaded(registration) is { } model)
            {
                Describe(registration.Name, model, data);
            }
            else
            {
                problems.Add($"'{registration.Name}' is not loaded yet.");
            }
        }

        HealthStatus status = failure is not null ? context.Registration.FailureStatus : problems.Count > 0 ? HealthStatus.Degraded : HealthStatus.Healthy;
        return Task.FromResult(new HealthCheckResult(status, problems.Count > 0 ? string.Join(' ', problems) : null, failure, data));
    }

    private static void Describe(string name, LlamaModel model, Dictionary<string, object> data)
    {
        BackendInfo info = model.Info;
        data[$"{name}.model"] = model.ModelId;
        data[$"{name}.device"] = info.Device;
        data[$"{name}.kernels"] = info.Kernels;
        data[$"{name}.threads"] = info.Threads;
        data[$"{name}.weightBytes"] = info.WeightBytes;
        data[$"{name}.running"] = model.Diagnostics.ActiveRequests;
        data[$"{name}.queued"] = model.Diagnostics.QueuedRequests;
    }
}
