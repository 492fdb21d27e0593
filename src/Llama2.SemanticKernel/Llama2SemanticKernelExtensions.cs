using Llama2;
using Llama2.SemanticKernel;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.TextGeneration;

namespace Microsoft.SemanticKernel;

/// <summary>Puts Llama models into a kernel.</summary>
/// <remarks>
/// <para>
/// Nothing is read before the first use, which loads the model and blocks until it is there. Registrations of one path whose options are equal share
/// one model and engine; options are configured, named and shared as <c>AddLlama2ChatClient</c> of <c>IServiceCollection</c> documents. The container
/// disposes what it loaded, and never a model that the caller handed in. The registered services are thread-safe.
/// </para>
/// <para>
/// Functions that the model calls are invoked as Semantic Kernel does it, filters included, where the settings have a <c>FunctionChoiceBehavior</c>.
/// </para>
/// </remarks>
public static class Llama2SemanticKernelExtensions
{
    /// <summary>Registers a model for everything a kernel asks for: chats, prompt functions, agents and bare texts.</summary>
    /// <param name="builder">The kernel's builder.</param>
    /// <param name="path">A Hugging Face folder, a Meta folder or a <c>.gguf</c> file; a relative path is seen from the current directory of this call.</param>
    /// <param name="configure">Sets the model's options in code, or <see langword="null"/>.</param>
    /// <param name="serviceId">The id to register under, or <see langword="null"/> for none.</param>
    /// <returns><paramref name="builder"/>.</returns>
    /// <remarks>
    /// Adds an <see cref="IChatCompletionService"/>, an <see cref="IChatClient"/>, an <see cref="ITextGenerationService"/> and the
    /// <see cref="LlamaModel"/>, each a singleton. Prompt functions take the first one, so that their prompts are written in the model's chat format.
    /// </remarks>
    /// <exception cref="ArgumentException"><paramref name="path"/> is <see langword="null"/>, empty or white space.</exception>
    public static IKernelBuilder AddLlama2ChatCompletion(
        this IKernelBuilder builder, string path, Action<LlamaModelOptions>? configure = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddLlama2ChatCompletion(path, configure, serviceId);
        return builder;
    }

    /// <param name="services">The services.</param>
    /// <param name="path">A Hugging Face folder, a Meta folder or a <c>.gguf</c> file; a relative path is seen from the current directory of this call.</param>
    /// <param name="configure">Sets the model's options in code, or <see langword="null"/>.</param>
    /// <param name="serviceId">The id to register under, or <see langword="null"/> for none.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <inheritdoc cref="AddLlama2ChatCompletion(IKernelBuilder, string, Action{LlamaModelOptions}, string)"/>
    public static IServiceCollection AddLlama2ChatCompletion(
        this IServiceCollection services, string path, Action<LlamaModelOptions>? configure = null, string? serviceId = null) =>
        AddEverything(services, AddModel(services, path, configure, serviceId), serviceId);

    /// <summary>Registers a model that is loaded already, or that the services have, for everything a kernel asks for.</summary>
    /// <param name="builder">The kernel's builder.</param>
    /// <param name="model">
    /// The model; it stays the caller's to dispose. <see langword="null"/> takes the services' <see cref="LlamaModel"/>: the one under
    /// <paramref name="serviceId"/>, else the one without a key.
    /// </param>
    /// <param name="serviceId">The id to register under, or <see langword="null"/> for none.</param>
    /// <returns><paramref name="builder"/>.</returns>
    /// <remarks>
    /// Adds an <see cref="IChatCompletionService"/>, an <see cref="IChatClient"/> and an <see cref="ITextGenerationService"/>. Where
    /// <paramref name="model"/> is <see langword="null"/> and the services have none, the first use throws an <see cref="InvalidOperationException"/>.
    /// </remarks>
    public static IKernelBuilder AddLlama2ChatCompletion(this IKernelBuilder builder, LlamaModel? model = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddLlama2ChatCompletion(model, serviceId);
        return builder;
    }

    /// <param name="services">The services.</param>
    /// <param name="model">The model, which stays the caller's to dispose, or <see langword="null"/> for the services' own.</param>
    /// <param name="serviceId">The id to register under, or <see langword="null"/> for none.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <inheritdoc cref="AddLlama2ChatCompletion(IKernelBuilder, LlamaModel, string)"/>
    public static IServiceCollection AddLlama2ChatCompletion(this IServiceCollection services, LlamaModel? model = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return AddEverything(services, provider => model ?? Registered(provider, serviceId), serviceId);
    }

    /// <summary>Registers a model as an <see cref="IChatClient"/> that invokes the kernel's functions, and as a <see cref="LlamaModel"/>.</summary>
    /// <remarks>
    /// Prompt functions use it where no other service is there. <c>AddLlama2ChatClient</c> of <c>IServiceCollection</c> registers a client that hands
    /// the model's calls of functions to the caller instead.
    /// </remarks>
    /// <inheritdoc cref="AddLlama2ChatCompletion(IKernelBuilder, string, Action{LlamaModelOptions}, string)"/>
    public static IKernelBuilder AddLlama2ChatClient(
        this IKernelBuilder builder, string path, Action<LlamaModelOptions>? configure = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddClient(builder.Services, AddModel(builder.Services, path, configure, serviceId), serviceId);
        return builder;
    }

    /// <summary>Registers a model as an <see cref="ITextGenerationService"/>, which goes on from a bare text, and as a <see cref="LlamaModel"/>.</summary>
    /// <remarks>
    /// The prompt is what the model reads; no chat format is put around it. A kernel prefers it to an <see cref="IChatClient"/>: where prompts shall
    /// reach the chat format, use <c>AddLlama2ChatCompletion</c>, which has all of them.
    /// </remarks>
    /// <inheritdoc cref="AddLlama2ChatCompletion(IKernelBuilder, string, Action{LlamaModelOptions}, string)"/>
    public static IKernelBuilder AddLlama2TextGeneration(
        this IKernelBuilder builder, string path, Action<LlamaModelOptions>? configure = null, string? serviceId = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddLlama2TextGeneration(path, configure, serviceId);
        return builder;
    }

    /// <param name="services">The services.</param>
    /// <param name="path">A Hugging Face folder, a Meta folder or a <c>.gguf</c> file; a relative path is seen from the current directory of this call.</param>
    /// <param name="configure">Sets the model's options in code, or <see langword="null"/>.</param>
    /// <param name="serviceId">The id to register under, or <see langword="null"/> for none.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <inheritdoc cref="AddLlama2TextGeneration(IKernelBuilder, string, Action{LlamaModelOptions}, string)"/>
    public static IServiceCollection AddLlama2TextGeneration(
        this IServiceCollection services, string path, Action<LlamaModelOptions>? configure = null, string? serviceId = null) =>
        AddText(services, AddModel(services, path, configure, serviceId), serviceId);

    /// <summary>A client that invokes the functions that the model calls, with the kernel's filters.</summary>
    internal static IChatClient WithKernelFunctions(this IChatClient client, IServiceProvider? provider) =>
        client.AsBuilder()
            .UseKernelFunctionInvocation(provider?.GetService<ILoggerFactory>())
            .Use(inner => new KernelFunctionsChatClient(inner))
            .Build(provider);

    /// <summary>Adds the model itself; the result gets it, of exactly this registration.</summary>
    private static Func<IServiceProvider, LlamaModel> AddModel(
        IServiceCollection services, string path, Action<LlamaModelOptions>? configure, string? serviceId)
    {
        LlamaModelRegistration registration = services.AddLlama2Model(path, configure, serviceId);
        return provider => provider.GetRequiredService<LlamaModelRegistry>().Get(registration);
    }

    private static IServiceCollection AddEverything(IServiceCollection services, Func<IServiceProvider, LlamaModel> model, string? serviceId) =>
        AddText(AddClient(services, model, serviceId), model, serviceId).AddKeyedSingleton<IChatCompletionService>(
            serviceId, (provider, _) => new Llama2ChatCompletionService(model(provider).AsIChatClient(leaveOpen: true).WithKernelFunctions(provider)));

    private static IServiceCollection AddClient(IServiceCollection services, Func<IServiceProvider, LlamaModel> model, string? serviceId) =>
        services.AddKeyedSingleton<IChatClient>(serviceId, (provider, _) => model(provider).AsIChatClient(leaveOpen: true).WithKernelFunctions(provider));

    private static IServiceCollection AddText(IServiceCollection services, Func<IServiceProvider, LlamaModel> model, string? serviceId) =>
        services.AddKeyedSingleton<ITextGenerationService>(serviceId, (provider, _) => new Llama2TextGenerationService(model(provider)));

    private static LlamaModel Registered(IServiceProvider provider, string? serviceId) =>
        (serviceId is null ? null : provider.GetKeyedService<LlamaModel>(serviceId)) ?? provider.GetService<LlamaModel>()
        ?? throw new InvalidOperationException("No LlamaModel is registered: hand one in, or give a path.");
}
