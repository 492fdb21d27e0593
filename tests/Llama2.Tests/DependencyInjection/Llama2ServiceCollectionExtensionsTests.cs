using Llama2.Testing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Llama2.Tests;

public sealed class Llama2ServiceCollectionExtensionsTests
{
    private readonly ModelLoads _models = new();
    private readonly IServiceCollection _services = new ServiceCollection();

    public Llama2ServiceCollectionExtensionsTests() => _services.AddSingleton<LlamaModelLoader>(_models.Load);

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("  ")]
    public void AddLlama2ChatClient_NoPath_Throws(string? path) =>
        Assert.Equal("path", Assert.ThrowsAny<ArgumentException>(() => _services.AddLlama2ChatClient(path!)).ParamName);

    [Fact]
    public void AddLlama2ChatClient_MissingPath_IsNotTouchedBeforeTheFirstResolve()
    {
        using ServiceProvider provider = new ServiceCollection().AddLlama2ChatClient("no-such-folder").BuildServiceProvider();

        Assert.Throws<FileNotFoundException>(() => provider.GetRequiredService<IChatClient>());
    }

    [Fact]
    public void Resolve_NoKey_LoadsTheFullPathOnceAndGivesModelAndClient()
    {
        using ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny/").BuildServiceProvider();
        Assert.Empty(_models.Loads);

        IChatClient client = provider.GetRequiredService<IChatClient>();
        LlamaModel model = provider.GetRequiredService<LlamaModel>();

        Assert.Same(client, provider.GetRequiredService<IChatClient>());
        Assert.Same(model, client.GetService(typeof(LlamaModel)));
        Assert.Equal(Path.Combine(Environment.CurrentDirectory, "models", "tiny"), Assert.Single(_models.Loads).Path);
        Assert.Equal("tiny", model.ModelId);
    }

    [Fact]
    public void Resolve_OnePathUnderSeveralKeys_SharesOneModelThatIsDisposedOnce()
    {
        using (ServiceProvider provider = _services
            .AddLlama2ChatClient("models/tiny")
            .AddLlama2ChatClient("models/tiny", serviceKey: "a")
            .AddLlama2ChatClient("models/../models/tiny", serviceKey: "b")
            .BuildServiceProvider())
        {
            LlamaModel model = provider.GetRequiredService<LlamaModel>();
            Assert.Same(model, provider.GetRequiredKeyedService<LlamaModel>("a"));
            Assert.Same(model, provider.GetRequiredKeyedService<LlamaModel>("b"));
            Assert.NotSame(provider.GetRequiredKeyedService<IChatClient>("a"), provider.GetRequiredKeyedService<IChatClient>("b"));
            provider.GetRequiredService<IChatClient>().Dispose();
            Assert.Equal(0, _models.Disposed);
        }

        Assert.Single(_models.Loads);
        Assert.Equal(1, _models.Disposed);
    }

    [Fact]
    public void Resolve_DifferentOptions_LoadSeparateModels()
    {
        using (ServiceProvider provider = _services
            .AddLlama2ChatClient("models/tiny", options => options.ContextLength = 64, "small")
            .AddLlama2ChatClient("models/tiny", options => options.ContextLength = 128, "large")
            .BuildServiceProvider())
        {
            Assert.Equal(64, provider.GetRequiredKeyedService<LlamaModel>("small").ContextLength);
            Assert.Equal(128, provider.GetRequiredKeyedService<LlamaModel>("large").ContextLength);
        }

        Assert.Equal(2, _models.Loads.Count);
        Assert.Equal(2, _models.Disposed);
    }

    [Fact]
    public void Resolve_ManyThreadsAndKeys_LoadOnce()
    {
        string[] keys = ["a", "b", "c", "d"];
        foreach (string key in keys)
        {
            _services.AddLlama2ChatClient("models/tiny", serviceKey: key);
        }

        using var allStarted = new Barrier(keys.Length);
        _models.Before = static _ => Thread.Sleep(20);
        using ServiceProvider provider = _services.BuildServiceProvider();
        var found = new LlamaModel[keys.Length];
        Thread[] threads = [.. keys.Select((key, index) => new Thread(() =>
        {
            allStarted.SignalAndWait();
            found[index] = provider.GetRequiredKeyedService<LlamaModel>(key);
        }))];

        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());

        Assert.Single(_models.Loads);
        Assert.All(found, model => Assert.Same(found[0], model));
    }

    [Fact]
    public void Resolve_AfterAFailedLoad_TriesAgain()
    {
        using ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny").BuildServiceProvider();
        _models.Failure = new CheckpointException("config.json", "hidden_size", "0", "at least 1");
        Assert.Same(_models.Failure, Assert.Throws<CheckpointException>(() => provider.GetRequiredService<IChatClient>()));
        Assert.Same(_models.Failure, Assert.Throws<CheckpointException>(() => provider.GetRequiredService<LlamaModel>()));

        _models.Failure = null;

        Assert.Same(provider.GetRequiredService<LlamaModel>(), provider.GetRequiredService<IChatClient>().GetService(typeof(LlamaModel)));
        Assert.Equal(3, _models.Loads.Count);
    }

    [Fact]
    public void Resolve_Logging_ComesFromTheProvider()
    {
        _services.AddSingleton<ILoggerFactory>(NullLoggerFactory.Instance);
        using ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny").BuildServiceProvider();

        provider.GetRequiredService<LlamaModel>();

        Assert.Same(NullLoggerFactory.Instance, Assert.Single(_models.Loads).LoggerFactory);
    }

    [Fact]
    public async Task Dispose_WhileLoading_CancelsTheLoad()
    {
        using var loading = new ManualResetEventSlim();
        _models.Before = cancellationToken =>
        {
            loading.Set();
            Assert.True(cancellationToken.WaitHandle.WaitOne(TimeSpan.FromSeconds(30)));
            cancellationToken.ThrowIfCancellationRequested();
        };
        ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny").BuildServiceProvider();
        LlamaModelRegistry registry = provider.GetRequiredService<LlamaModelRegistry>();
        LlamaModelRegistration registration = provider.GetRequiredService<LlamaModelRegistration>();

        Task<LlamaModel> load = Task.Run(() => registry.Get(registration));
        Assert.True(loading.Wait(TimeSpan.FromSeconds(30)));
        await provider.DisposeAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => load);
        Assert.Throws<ObjectDisposedException>(() => registry.Get(registration));
    }

    [Fact]
    public void Options_FromConfiguration_BindEveryKindOfValue()
    {
        IConfiguration configuration = Configuration(
            ("Llama2:ModelId", "from-configuration"),
            ("Llama2:WeightFormat", "q8_0"),
            ("Llama2:ContextLength", "64"),
            ("Llama2:PrefixCacheBytes", "5000000000"),
            ("Llama2:SettingsValidation", "Warn"),
            ("Llama2:EnableSensitiveData", "true"),
            ("Llama2:Generation:Temperature", "0.25"),
            ("Llama2:Generation:DoSample", "false"),
            ("Llama2:Generation:MaxTime", "00:00:30"),
            ("Llama2:Generation:ContextOverflow", "DropOldestTurns"),
            ("Llama2:Generation:StopSequences:0", "END"),
            ("Llama2:Generation:StopSequences:1", "STOP"),
            ("Llama2:Generation:StopTokenIds:0", "13"),
            ("Llama2:Generation:LogitBias:7", "-1.5"));
        _services.Configure<LlamaModelOptions>(configuration.GetSection("Llama2"));
        using ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny").BuildServiceProvider();

        LlamaModelOptions options = provider.GetRequiredService<LlamaModel>().Options;

        Assert.Equal("from-configuration", options.ModelId);
        Assert.Equal(WeightFormat.Q8_0, options.WeightFormat);
        Assert.Equal(64, options.ContextLength);
        Assert.Equal(5_000_000_000, options.PrefixCacheBytes);
        Assert.Equal(SettingsValidation.Warn, options.SettingsValidation);
        Assert.True(options.EnableSensitiveData);
        Assert.Equal(0.25f, options.Generation.Temperature);
        Assert.False(options.Generation.DoSample);
        Assert.Equal(TimeSpan.FromSeconds(30), options.Generation.MaxTime);
        Assert.Equal(ContextOverflow.DropOldestTurns, options.Generation.ContextOverflow);
        Assert.Equal(["END", "STOP"], options.Generation.StopSequences);
        Assert.Equal([13], options.Generation.StopTokenIds);
        Assert.Equal(new Dictionary<int, float> { [7] = -1.5f }, options.Generation.LogitBias);
        Assert.Equal(16, options.MaxConcurrentSequences);
    }

    [Fact]
    public void Options_AdaptersInConfiguration_AreLoadedWithTheModel()
    {
        using var folder = new TemporaryFolder();
        PeftFolder.Write(TinyAdapters.Create(1), folder["legal"]);
        PeftFolder.Write(TinyAdapters.Create(2), folder["merged"]);
        IConfiguration configuration = Configuration(
            ("Llama2:Adapters:Legal", folder["legal"]), ("Llama2:MergedAdapter", folder["merged"]), ("Llama2:Generation:Adapter", "Legal"));
        _services.Configure<LlamaModelOptions>(configuration.GetSection("Llama2"));
        using ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny").BuildServiceProvider();

        LlamaModel model = provider.GetRequiredService<LlamaModel>();

        Assert.Equal(["Legal"], model.Adapters);
        Assert.Equal(("Legal", folder["merged"]), (model.Options.Generation.Adapter, model.Options.MergedAdapter));
    }

    [Fact]
    public void Options_DefaultThenNamedThenCode_TheLaterWins()
    {
        IConfiguration configuration = Configuration(
            ("Llama2:BatchTokens", "1"), ("Llama2:MaxConcurrentSequences", "1"), ("Llama2:MaxQueuedRequests", "1"), ("Llama2:Generation:StopSequences:0", "END"),
            ("Llama2:Small:MaxConcurrentSequences", "2"), ("Llama2:Small:MaxQueuedRequests", "2"));
        _services.Configure<LlamaModelOptions>("small", configuration.GetSection("Llama2:Small"));
        using ServiceProvider provider = _services
            .AddLlama2ChatClient("models/tiny", options => options.MaxQueuedRequests = 3, serviceKey: "small")
            .AddLlama2ChatClient("models/tiny", serviceKey: "other")
            .Configure<LlamaModelOptions>(configuration.GetSection("Llama2"))
            .BuildServiceProvider();

        LlamaModelOptions small = provider.GetRequiredKeyedService<LlamaModel>("small").Options;
        LlamaModelOptions other = provider.GetRequiredKeyedService<LlamaModel>("other").Options;

        Assert.Equal((1, 2, 3), (small.BatchTokens, small.MaxConcurrentSequences, small.MaxQueuedRequests));
        Assert.Equal((1, 1, 1), (other.BatchTokens, other.MaxConcurrentSequences, other.MaxQueuedRequests));
        Assert.Equal(["END"], small.Generation.StopSequences);
    }

    [Fact]
    public void Options_ForAllNamesAndWithoutNames_ActOnce()
    {
        int all = 0, plain = 0;
        _services.ConfigureAll<LlamaModelOptions>(_ => all++);
        _services.AddSingleton<IConfigureOptions<LlamaModelOptions>>(new Plain(() => plain++));
        _services.AddLlama2ChatClient("models/tiny", serviceKey: "small");
        using ServiceProvider provider = _services.BuildServiceProvider();

        provider.GetRequiredService<IOptionsFactory<LlamaModelOptions>>().Create("small");
        Assert.Equal((1, 1), (all, plain));

        provider.GetRequiredService<IOptionsFactory<LlamaModelOptions>>().Create(Options.DefaultName);
        Assert.Equal((2, 2), (all, plain));
    }

    [Fact]
    public void Options_OutOfRange_FailTheResolve()
    {
        using ServiceProvider provider = _services.AddLlama2ChatClient("models/tiny", options => options.BatchTokens = 0).BuildServiceProvider();

        Assert.ThrowsAny<ArgumentException>(() => provider.GetRequiredService<IChatClient>());
        Assert.Equal(1, _models.Disposed);
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))).Build();

    private sealed class Plain(Action configured) : IConfigureOptions<LlamaModelOptions>
    {
        public void Configure(LlamaModelOptions options) => configured();
    }
}
