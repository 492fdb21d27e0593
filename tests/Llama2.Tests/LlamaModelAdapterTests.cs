using Llama2.Testing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Llama2.Tests;

/// <summary>Adapters as users meet them: in options, by path, in chats, and in what the model reports.</summary>
public sealed class LlamaModelAdapterTests : IDisposable
{
    private static readonly int[] _tokens = [1, 9, 300, 44, 260];
    private readonly TemporaryFolder _folder = new();
    private readonly LoraAdapter _first = TinyAdapters.Create(1), _second = TinyAdapters.Create(2, new() { Rank = 4, Alpha = 8 });

    public LlamaModelAdapterTests()
    {
        PeftFolder.Write(_first, _folder["first"]);
        PeftFolder.Write(_second, _folder["second"]);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Load_AdaptersInTheOptions_CanBeChosenAndCount()
    {
        LlamaModelOptions options = Options("first", "second");
        using var model = LlamaModel.Load(TinyModels.Create(), options);
        options.Adapters.Clear();
        Assert.Equal(["first", "second"], model.Adapters);
        Assert.Equal(2, model.Options.Adapters.Count);
        Assert.Equal(_first.ByteSize + _second.ByteSize, model.Info.AdapterBytes);
        foreach (LoraAdapter? adapter in new[] { _first, _second, null })
        {
            using RandomCheckpoint checkpoint = TinyModels.Create();
            double[][] expected = new ReferenceModel(checkpoint, adapter).Logits(_tokens);
            float[][] logits = await model.Engine.GetLogitsAsync(_tokens, adapter: adapter == _first ? "first" : adapter == _second ? "second" : null);
            Assert.All(expected.Zip(logits), rows => Assert.All(rows.First.Zip(rows.Second), pair => Assert.Equal(pair.First, pair.Second, 1e-4)));
        }
    }

    [Fact]
    public async Task Load_NoAdapterChosen_SameBitsAsWithoutAny()
    {
        using LlamaModel bare = LlamaModel.Load(TinyModels.Create()), adapted = LlamaModel.Load(TinyModels.Create(), Options("first"));
        Assert.Equal(await bare.Engine.GetLogitsAsync(_tokens), await adapted.Engine.GetLogitsAsync(_tokens));
    }

    [Fact]
    public async Task Load_MergedAdapter_IsInTheWeightsOfEveryRequest()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        using var model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { MergedAdapter = _folder["first"] });
        Assert.Empty(model.Adapters);
        Assert.Equal(0, model.Info.AdapterBytes);
        double[][] expected = new ReferenceModel(checkpoint, _first).Logits(_tokens);
        float[][] logits = await model.Engine.GetLogitsAsync(_tokens);
        Assert.All(expected.Zip(logits), rows => Assert.All(rows.First.Zip(rows.Second), pair => Assert.Equal(pair.First, pair.Second, 1e-4)));

        model.LoadAdapter("second", _folder["second"]);                      // stands beside the sum
        using var merged = new MergedCheckpoint(checkpoint, _first);
        expected = new ReferenceModel(merged, _second).Logits(_tokens);
        logits = await model.Engine.GetLogitsAsync(_tokens, adapter: "second");
        Assert.All(expected.Zip(logits), rows => Assert.All(rows.First.Zip(rows.Second), pair => Assert.Equal(pair.First, pair.Second, 1e-4)));
    }

    [Fact]
    public async Task Chat_AdapterInTheSettings_IsUsedAndReported()
    {
        using var model = LlamaModel.Load(TinyModels.Create(), Options("first"));
        using IChatClient client = model.AsIChatClient(leaveOpen: true);
        ChatResponse bare = await client.GetResponseAsync("Hello", Chat(null)), adapted = await client.GetResponseAsync("Hello", Chat("first"));
        Assert.NotEqual(bare.Text, adapted.Text);
        Assert.Equal("first", Settings(adapted)["adapter"]);
        Assert.False(Settings(bare).ContainsKey("adapter"));
        Assert.True(model.Explain([new(ChatRole.User, "Hello")], Chat("first")).CachedTokens > 0);
        Assert.Equal(bare.Text, (await client.GetResponseAsync("Hello", Chat(""))).Text);
        await Assert.ThrowsAsync<UnknownAdapterException>(() => client.GetResponseAsync("Hello", Chat("third")));
        Assert.Throws<UnknownAdapterException>(() => model.Explain([new(ChatRole.User, "Hello")], Chat("third")));

        static AdditionalPropertiesDictionary Settings(ChatResponse response) => (AdditionalPropertiesDictionary)response.AdditionalProperties!["effective_settings"]!;
    }

    [Fact]
    public async Task Load_DefaultAdapter_HoldsForChats()
    {
        LlamaModelOptions options = Options("first");
        options.Generation.Adapter = "first";
        using LlamaModel model = LlamaModel.Load(TinyModels.Create(), options), chosen = LlamaModel.Load(TinyModels.Create(), Options("first"));
        using IChatClient client = model.AsIChatClient(leaveOpen: true), other = chosen.AsIChatClient(leaveOpen: true);
        Assert.Equal((await other.GetResponseAsync("Hello", Chat("first"))).Text, (await client.GetResponseAsync("Hello", Chat(null))).Text);
        Assert.Equal((await other.GetResponseAsync("Hello", Chat(null))).Text, (await client.GetResponseAsync("Hello", Chat(""))).Text);
    }

    [Fact]
    public void Load_DefaultIsNoAdapterOfTheOptions_IsRefusedBeforeTheWeights()
    {
        LlamaModelOptions options = Options("first").UseBackend((_, _, _, _) => throw new InvalidOperationException("the weights"));
        options.Generation.Adapter = "third";
        Assert.Equal(["first"], Assert.Throws<UnknownAdapterException>(() => LlamaModel.Load(TinyModels.Create(), options)).Known);
        options.Generation.Adapter = null;
        options.Adapters["third"] = _folder["third"];
        Assert.Throws<FileNotFoundException>(() => LlamaModel.Load(TinyModels.Create(), options));
        options.Adapters["third"] = " ";
        Assert.Throws<ArgumentException>(() => LlamaModel.Load(TinyModels.Create(), options));
    }

    [Fact]
    public async Task LoadAdapter_FromPathAndMemory_CanBeChosenUntilUnloaded()
    {
        using var logs = new FakeLoggerProvider();
        using var factory = new LoggerFactory([logs]);
        using var model = LlamaModel.Load(TinyModels.Create(), null, null, factory);
        model.LoadAdapter("path", _folder["first"]);
        model.LoadAdapter("memory", _first);
        Assert.Equal(["memory", "path"], model.Adapters);
        Assert.Equal(await model.Engine.GetLogitsAsync(_tokens, adapter: "path"), await model.Engine.GetLogitsAsync(_tokens, adapter: "memory"));
        Assert.Equal(2 * _first.ByteSize, model.Info.AdapterBytes);

        Assert.True(model.UnloadAdapter("path"));
        Assert.False(model.UnloadAdapter("path"));
        Assert.Equal(["memory"], model.Adapters);
        Assert.Equal(_first.ByteSize, model.Info.AdapterBytes);
        Assert.Equal(2, logs.Collector.GetSnapshot().Count(record => record.Message.StartsWith("Loaded the adapter", StringComparison.Ordinal)));
        Assert.Single(logs.Collector.GetSnapshot(), record => record.Message.StartsWith("Unloaded the adapter", StringComparison.Ordinal));
    }

    [Fact]
    public void LoadAdapter_Refused_ChangesNothing()
    {
        var model = LlamaModel.Load(TinyModels.Create(), Options("first"));
        Assert.Throws<ArgumentException>(() => model.LoadAdapter("first", _folder["second"]));
        Assert.Throws<ArgumentException>(() => model.LoadAdapter(" ", _folder["second"]));
        Assert.Throws<FileNotFoundException>(() => model.LoadAdapter("third", _folder["third"]));
        Assert.Throws<ArgumentException>(() => model.LoadAdapter("third", TinyAdapters.Create(1, null, TinyModels.Config with { HiddenSize = 32 })));
        Assert.Equal(["first"], model.Adapters);
        Assert.Equal(_first.ByteSize, model.Info.AdapterBytes);
        model.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.LoadAdapter("second", _folder["second"]));
        Assert.Equal(0, model.Info.AdapterBytes);
    }

    [Fact]
    public void Load_BackendWithoutAdapters_SaysThatMergingIsPossible()
    {
        var backend = new PlainBackend();
        LlamaModelOptions options = Options("first").UseBackend((_, _, _, _) => backend);
        Assert.Contains("MergedAdapter", Assert.Throws<NotSupportedException>(() => LlamaModel.Load(TinyModels.Create(), options)).Message, StringComparison.Ordinal);
        Assert.Equal(1, backend.Disposals);

        Checkpoint? seen = null;
        options = new LlamaModelOptions { MergedAdapter = _folder["first"] }.UseBackend((checkpoint, _, _, _) => (seen = checkpoint) is null ? backend : new PlainBackend());
        using var model = LlamaModel.Load(TinyModels.Create(), options);
        Assert.Equal("random with an adapter", seen!.Layout);
        Assert.Throws<NotSupportedException>(() => model.LoadAdapter("first", _first));
    }

    [Fact]
    public void EstimateMemory_Adapters_AreCounted()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create();
        MemoryEstimate bare = LlamaModel.EstimateMemory(checkpoint), adapted = LlamaModel.EstimateMemory(checkpoint, Options("first", "second"));
        Assert.Equal(bare with { AdapterBytes = _first.ByteSize + _second.ByteSize }, adapted);
        Assert.Equal(bare.TotalBytes + adapted.AdapterBytes, adapted.TotalBytes);
    }

    private static ChatOptions Chat(string? adapter) =>
        new() { Temperature = 0, MaxOutputTokens = 12, AdditionalProperties = new() { ["adapter"] = adapter, ["ignore_eos"] = true } };

    private LlamaModelOptions Options(params string[] names) => new() { Adapters = names.ToDictionary(name => name, name => _folder[name]) };

    /// <summary>A backend that knows nothing of adapters.</summary>
    private sealed class PlainBackend : LlamaBackend
    {
        private readonly FakeBackend _inner = new();

        public int Disposals { get; private set; }

        public override BackendInfo Info => _inner.Info;

        public override LlamaConfig Config => _inner.Config;

        public override int ContextLength => _inner.ContextLength;

        public override KeyValueCache CreateCache() => _inner.CreateCache();

        public override long CacheBytes(int tokens) => _inner.CacheBytes(tokens);

        public override void Forward(LlamaBatch batch, Span<float> logits) => _inner.Forward(batch, logits);

        protected override void Dispose(bool disposing)
        {
            Disposals++;
            base.Dispose(disposing);
        }
    }
}
