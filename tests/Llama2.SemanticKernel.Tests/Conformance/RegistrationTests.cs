using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;
using Microsoft.SemanticKernel.Services;
using Microsoft.SemanticKernel.TextGeneration;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 1 to 16: construction, registration, and what a service says about itself.</summary>
public sealed class RegistrationTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private static readonly Type[] _everything = [typeof(IChatCompletionService), typeof(IChatClient), typeof(ITextGenerationService), typeof(LlamaModel)];

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" ")]
    public void Check01_NoPath_ThrowsAtOnce(string? path)
    {
        Type expected = path is null ? typeof(ArgumentNullException) : typeof(ArgumentException);
        IKernelBuilder builder = Kernel.CreateBuilder();
        Assert.Equal("path", ((ArgumentException)Assert.Throws(expected, () => builder.AddLlama2ChatCompletion(path!, configure: null))).ParamName);
        Assert.Equal("path", ((ArgumentException)Assert.Throws(expected, () => builder.AddLlama2ChatClient(path!))).ParamName);
        Assert.Equal("path", ((ArgumentException)Assert.Throws(expected, () => builder.AddLlama2TextGeneration(path!))).ParamName);
    }

    [Fact]
    public void Check02_MissingFile_FailsWithItsNameAtTheFirstUse()
    {
        Kernel kernel = Kernel.CreateBuilder().AddLlama2ChatCompletion("no-such-model").Build();

        FileNotFoundException exception = Assert.Throws<FileNotFoundException>(() => kernel.GetRequiredService<IChatCompletionService>());

        Assert.Contains("no-such-model", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check03_OptionOutOfRange_FailsWithItsName()
    {
        Kernel kernel = Kernel.CreateBuilder().AddLlama2ChatCompletion(tiny.Path, options => options.BatchTokens = 0).Build();

        ArgumentException exception = Assert.ThrowsAny<ArgumentException>(() => kernel.GetRequiredService<IChatCompletionService>());

        Assert.Contains(nameof(LlamaModelOptions.BatchTokens), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check04_ChatCompletion_AddsOneSingletonFactoryOfEachService()
    {
        var services = new ServiceCollection();

        Assert.Same(services, services.AddLlama2ChatCompletion("model"));

        foreach (Type type in _everything)
        {
            ServiceDescriptor descriptor = Assert.Single(services, descriptor => descriptor.ServiceType == type);
            Assert.Equal(ServiceLifetime.Singleton, descriptor.Lifetime);
            Assert.False(descriptor.IsKeyedService);
            Assert.NotNull(descriptor.ImplementationFactory);
        }
    }

    [Fact]
    public void Check05_KernelBuilder_AddsTheSameAndIsReturned()
    {
        IKernelBuilder builder = Kernel.CreateBuilder();

        Assert.Same(builder, builder.AddLlama2ChatCompletion("model"));

        Assert.All(_everything, type => Assert.Single(builder.Services, descriptor => descriptor.ServiceType == type));
    }

    [Fact]
    public void Check06_OtherForms_AddWhatTheirNamesSay()
    {
        IKernelBuilder client = Kernel.CreateBuilder(), text = Kernel.CreateBuilder();

        Assert.Same(client, client.AddLlama2ChatClient("model", serviceId: "a"));
        Assert.Same(text, text.AddLlama2TextGeneration("model"));

        Assert.Equal([typeof(IChatClient), typeof(LlamaModel)], Added(client));
        Assert.Equal([typeof(ITextGenerationService), typeof(LlamaModel)], Added(text));

        static IEnumerable<Type> Added(IKernelBuilder builder) =>
            _everything.Where(type => builder.Services.Any(descriptor => descriptor.ServiceType == type && descriptor.Lifetime == ServiceLifetime.Singleton));
    }

    [Fact]
    public void Check07_WithServiceId_IsTheKeyOfTheSameInstance()
    {
        IKernelBuilder builder = Kernel.CreateBuilder().AddLlama2ChatCompletion(tiny.Path, serviceId: "a");
        Assert.All(_everything, type => Assert.Equal("a", builder.Services.Single(descriptor => descriptor.ServiceType == type).ServiceKey));
        Kernel kernel = builder.Build();
        using var _ = (IDisposable)kernel.Services;

        Assert.Same(kernel.Services.GetRequiredKeyedService<IChatCompletionService>("a"), kernel.GetRequiredService<IChatCompletionService>("a"));
        Assert.Same(kernel.Services.GetRequiredKeyedService<ITextGenerationService>("a"), kernel.GetRequiredService<ITextGenerationService>("a"));
        Assert.Same(kernel.Services.GetRequiredKeyedService<IChatClient>("a"), kernel.GetRequiredService<IChatClient>("a"));
        Assert.Same(kernel.GetRequiredService<IChatCompletionService>("a"), kernel.GetRequiredService<IChatCompletionService>());
    }

    [Fact]
    public void Check08_WithoutServiceId_ResolvesWithoutKey()
    {
        using ServiceProvider provider = new ServiceCollection().AddLlama2ChatCompletion(tiny.Path).BuildServiceProvider();

        Assert.All(_everything, type => Assert.NotNull(provider.GetService(type)));
    }

    [Fact]
    public void Check09_NullServicesOrBuilder_ThrowWithTheirName()
    {
        IKernelBuilder builder = null!;
        IServiceCollection services = null!;
        Action[] onBuilder =
        [
            () => builder.AddLlama2ChatCompletion("model"), () => builder.AddLlama2ChatCompletion(), () => builder.AddLlama2ChatClient("model"),
            () => builder.AddLlama2TextGeneration("model"),
        ];
        Action[] onServices = [() => services.AddLlama2ChatCompletion("model"), () => services.AddLlama2ChatCompletion(), () => services.AddLlama2TextGeneration("model")];

        Assert.All(onBuilder, action => Assert.Throws<ArgumentNullException>("builder", action));
        Assert.All(onServices, action => Assert.Throws<ArgumentNullException>("services", action));
    }

    [Fact]
    public async Task Check10_Registration_LoadsNothing()
    {
        int loads = 0;
        var services = new ServiceCollection();
        services.AddSingleton<LlamaModelLoader>((path, options, loggerFactory, cancellationToken) =>
        {
            loads++;
            return LlamaModel.Load(Checkpoint.Open(path), options, progress: null, loggerFactory, cancellationToken);
        });
        services.AddKernel().AddLlama2ChatCompletion(tiny.Path).AddLlama2ChatCompletion(tiny.Path, serviceId: "same");
        await using ServiceProvider provider = services.BuildServiceProvider();
        Kernel kernel = provider.GetRequiredService<Kernel>();
        Assert.Equal(0, loads);

        Assert.NotNull(kernel.GetRequiredService<IChatCompletionService>("same"));
        Assert.NotNull(kernel.GetRequiredService<ITextGenerationService>());
        Assert.Equal(1, loads);                                         // one engine for one path
    }

    [Fact]
    public async Task Check11_EveryWayToAKernel_Works()
    {
        using LlamaModel model = LlamaModel.Load(tiny.Path);
        using IServiceScope scope = new ServiceCollection().AddKernel().AddLlama2ChatCompletion(tiny.Path).Services.BuildServiceProvider().CreateScope();
        await using ServiceProvider registered = new ServiceCollection()
            .AddSingleton(model).AddKeyedSingleton("key", model).AddKernel().AddLlama2ChatCompletion().AddLlama2ChatCompletion(serviceId: "key").Services.BuildServiceProvider();
        Kernel[] kernels =
        [
            tiny.Kernel, scope.ServiceProvider.GetRequiredService<Kernel>(), Kernel.CreateBuilder().AddLlama2ChatCompletion(model).Build(),
            registered.GetRequiredService<Kernel>(),
        ];
        FunctionResult expected = await tiny.Kernel.InvokePromptAsync("hello", new(TinyModelFixture.Greedy()));

        foreach (Kernel kernel in kernels)
        {
            Assert.Equal(expected.ToString(), (await kernel.InvokePromptAsync("hello", new(TinyModelFixture.Greedy()))).ToString());
        }

        Assert.NotNull(registered.GetRequiredKeyedService<IChatCompletionService>("key"));
        await using ServiceProvider none = new ServiceCollection().AddLlama2ChatCompletion().BuildServiceProvider();
        Assert.Throws<InvalidOperationException>(() => none.GetRequiredService<IChatCompletionService>());
    }

    [Fact]
    public async Task Check12_TwoModels_AreSelectedByServiceIdByModelIdAndElseTheLastOne()
    {
        Kernel kernel = Kernel.CreateBuilder()
            .AddLlama2ChatCompletion(tiny.Path, options => options.ModelId = "first", "a")
            .AddLlama2ChatCompletion(tiny.Path, options => options.ModelId = "second", "b")
            .Build();
        using var _ = (IDisposable)kernel.Services;

        Assert.Equal("first", await ModelOf(new() { ServiceId = "a" }));
        Assert.Equal("second", await ModelOf(new() { ServiceId = "b" }));
        Assert.Equal("first", await ModelOf(new() { ModelId = "first" }));
        Assert.Equal("second", await ModelOf(null));

        async Task<string?> ModelOf(PromptExecutionSettings? settings)
        {
            KernelArguments arguments = settings is null ? [] : new(settings);
            return (await kernel.InvokePromptAsync("<message role=\"user\">hello</message>", arguments)).GetValue<ChatMessageContent>()!.ModelId;
        }
    }

    [Fact]
    public void Check12_TwoModelsWithoutIds_EachServiceKeepsItsOwn()
    {
        var services = new ServiceCollection();
        services.AddLlama2ChatCompletion(tiny.Path, options => options.ModelId = "one");
        string other = Path.ChangeExtension(tiny.Path, ".copy.gguf");
        File.Copy(tiny.Path, other, overwrite: true);
        services.AddLlama2ChatCompletion(other, options => options.ModelId = "two");
        using ServiceProvider provider = services.BuildServiceProvider();

        Assert.Equal(["one", "two"], provider.GetServices<IChatCompletionService>().Select(service => service.GetModelId()));
        Assert.Equal(["one", "two"], provider.GetServices<IChatClient>().Select(client => client.GetModelId()));
        Assert.Equal(["one", "two"], provider.GetServices<ITextGenerationService>().Select(service => service.GetModelId()));
    }

    [Fact]
    public async Task Check13_DisposingTheProvider_DisposesWhatItLoadedAndNothingElse()
    {
        using LlamaModel mine = LlamaModel.Load(tiny.Path);
        LlamaModel loaded;
        IChatCompletionService over;
        await using (ServiceProvider provider = new ServiceCollection().AddLlama2ChatCompletion(tiny.Path).AddLlama2ChatCompletion(mine, "mine").BuildServiceProvider())
        {
            loaded = provider.GetRequiredService<LlamaModel>();
            provider.GetRequiredService<IChatClient>();
            provider.GetRequiredService<ITextGenerationService>();
            over = provider.GetRequiredService<IChatCompletionService>();
            provider.GetRequiredKeyedService<IChatClient>("mine");
            provider.GetRequiredKeyedService<ITextGenerationService>("mine");
        }

        await Assert.ThrowsAsync<ObjectDisposedException>(() => over.GetChatMessageContentsAsync(new ChatHistory("hello", AuthorRole.User)));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => loaded.AsIChatClient().GetResponseAsync("hello"));
        Assert.NotEmpty((await mine.AsIChatClient(leaveOpen: true).GetResponseAsync("hello", new ChatOptions { MaxOutputTokens = 1 })).Messages);
    }

    [Fact]
    public void Check14_Attributes_HaveTheModelId()
    {
        Assert.Equal("tiny", tiny.Chat.Attributes[AIServiceExtensions.ModelIdKey]);
        Assert.Equal("tiny", tiny.Chat.GetModelId());
        Assert.Equal("tiny", tiny.Kernel.GetRequiredService<ITextGenerationService>().GetModelId());
        Assert.Null(tiny.Chat.GetEndpoint());
    }

    [Fact]
    public void Check15_ChatClient_GivesItsMetadataAndTheModel()
    {
        IChatClient client = tiny.Kernel.GetRequiredService<IChatClient>();

        Assert.Equal(("llama2", "tiny"), (client.GetService<ChatClientMetadata>()!.ProviderName, client.GetService<ChatClientMetadata>()!.DefaultModelId));
        Assert.Same(tiny.Model, client.GetService<LlamaModel>());
        Assert.Same(client, client.GetService(client.GetType()));
        Assert.Null(client.GetService(typeof(ChatClientMetadata), "key"));
    }

    [Fact]
    public void Check16_Adapters_ShowTheModelId()
    {
        Assert.Equal("tiny", tiny.Kernel.GetRequiredService<IChatClient>().AsChatCompletionService().GetModelId());
        Assert.Equal("tiny", tiny.Chat.AsChatClient().GetService<ChatClientMetadata>()!.DefaultModelId);
    }
}
