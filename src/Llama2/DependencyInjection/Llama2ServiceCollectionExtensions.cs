using Llama2;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Puts Llama models into a service collection.</summary>
public static class Llama2ServiceCollectionExtensions
{
    /// <summary>Registers a model as a singleton <see cref="IChatClient"/> and a singleton <see cref="LlamaModel"/>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="path">A Hugging Face folder, a Meta folder or a <c>.gguf</c> file; a relative path is seen from the current directory of this call.</param>
    /// <param name="configure">Sets the options in code, or <see langword="null"/>.</param>
    /// <param name="serviceKey">The key to register under, or <see langword="null"/> for none.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <remarks>
    /// <para>
    /// Nothing is read before the first resolve, which loads the model and blocks until it is there; <see cref="AddLlama2WarmUp"/> does
    /// that when the host starts. Registrations of one path whose options are equal share one model and engine; with different options
    /// each loads a model of its own. A failed load throws its own exception, and the next resolve tries again. The container disposes the
    /// models; disposing a client that came from it leaves its model open.
    /// </para>
    /// <para>
    /// The options are those of Microsoft.Extensions.Options, so configuration can set them. The ones without a name hold for every model.
    /// Over them, in the order of registration, go <paramref name="configure"/> and the ones named after the model: its key as text, or
    /// <paramref name="path"/> as it is written where there is no key. Lists from several sections add up. All are read once, at the load.
    /// </para>
    /// <code>
    /// services.Configure&lt;LlamaModelOptions&gt;(configuration.GetSection("Llama2"));                  // every model
    /// services.Configure&lt;LlamaModelOptions&gt;("small", configuration.GetSection("Llama2:Small"));    // the model with the key "small"
    /// services.AddLlama2ChatClient("models/llama-2-7b-chat", serviceKey: "small");
    /// </code>
    /// </remarks>
    /// <exception cref="ArgumentException"><paramref name="path"/> is <see langword="null"/>, empty or white space.</exception>
    public static IServiceCollection AddLlama2ChatClient(
        this IServiceCollection services, string path, Action<LlamaModelOptions>? configure = null, object? serviceKey = null)
    {
        LlamaModelRegistration registration = services.AddLlama2Model(path, configure, serviceKey);
        return services.AddKeyedSingleton(serviceKey, (provider, _) =>
            provider.GetRequiredService<LlamaModelRegistry>().Get(registration).AsIChatClient(leaveOpen: true));
    }

    /// <summary>Loads a registered model and generates one token with it when the host starts, so that the first request is as quick as the next.</summary>
    /// <param name="services">The services.</param>
    /// <param name="serviceKey">The key of <see cref="AddLlama2ChatClient"/>, or <see langword="null"/> for the model without one.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <remarks>
    /// It works in the background: the host starts at once, and requests that come before it is done wait for the same load. A failure is
    /// logged and shown by <see cref="Llama2HealthCheck"/>; the host runs on, and the next resolve tries again. A key under which
    /// no model is registered stops the host from starting.
    /// </remarks>
    public static IServiceCollection AddLlama2WarmUp(this IServiceCollection services, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return services.AddSingleton<IHostedService>(provider =>
        {
            LlamaModelRegistration registration =
                provider.GetServices<LlamaModelRegistration>().LastOrDefault(registration => Equals(registration.ServiceKey, serviceKey))
                ?? throw new InvalidOperationException($"No model is registered {(serviceKey is null ? "without a key" : $"under the key '{serviceKey}'")}.");
            return new LlamaWarmUp(provider.GetRequiredService<LlamaModelRegistry>(), registration, provider.GetService<ILoggerFactory>());
        });
    }

    /// <summary>Registers a model as a singleton <see cref="LlamaModel"/> with what loads and disposes it; services over the model come on top.</summary>
    internal static LlamaModelRegistration AddLlama2Model(
        this IServiceCollection services, string path, Action<LlamaModelOptions>? configure, object? serviceKey)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var registration = new LlamaModelRegistration(
            Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)), serviceKey?.ToString() ?? path, serviceKey);

        services.AddOptions();
        services.TryAddTransient<IOptionsFactory<LlamaModelOptions>, LlamaModelOptionsFactory>();
        if (configure is not null)
        {
            services.Configure(registration.Name, configure);
        }

        services.TryAddSingleton(provider => new LlamaModelRegistry(
            provider.GetRequiredService<IOptionsFactory<LlamaModelOptions>>(), provider.GetService<ILoggerFactory>(), provider.GetService<LlamaModelLoader>()));
        services.TryAddSingleton(provider =>
            new Llama2HealthCheck(provider.GetRequiredService<LlamaModelRegistry>(), provider.GetServices<LlamaModelRegistration>()));

        services.AddSingleton(registration);
        services.AddKeyedSingleton(serviceKey, (provider, _) => provider.GetRequiredService<LlamaModelRegistry>().Get(registration));
        return registration;
    }
}
