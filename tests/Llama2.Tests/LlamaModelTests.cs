using Llama2.Testing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Llama2.Tests;

public class LlamaModelTests
{
    [Fact]
    public void Load_RandomCheckpoint_SaysWhatItIs()
    {
        using var model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { ContextLength = 100, Threads = 1 });
        Assert.Equal("random-64x2", model.ModelId);
        Assert.Equal(100, model.ContextLength);
        Assert.Equal(TinyModels.Config, model.Config);
        Assert.Equal(1, model.Info.Threads);
        Assert.True(model.HasTokenizer);
        Assert.Equal(320, model.Tokenizer.VocabularySize);
    }

    [Fact]
    public void Load_NamedModel_KeepsTheName()
    {
        using var model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { ModelId = "tiny" });
        Assert.Equal("tiny", model.ModelId);
    }

    [Fact]
    public void Load_WithoutTokenizer_StillGeneratesIds()
    {
        using var model = LlamaModel.Load(TinyModels.Create(1, TinyModels.Config with { VocabularySize = 64 }));
        Assert.False(model.HasTokenizer);
        Assert.Contains("tokenizer", Assert.Throws<InvalidOperationException>(() => model.Tokenizer).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task LoadAsync_GgufFile_NamesTheModelAfterItAndLogs()
    {
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint checkpoint = TinyModels.Create())
        {
            GgufFile.Write(checkpoint, folder["small.Q8.gguf"], WeightFormat.Q8_0);
        }

        using var logs = new FakeLoggerProvider();
        using var factory = new LoggerFactory([logs]);
        List<LoadProgress> steps = [];
        using LlamaModel model = await LlamaModel.LoadAsync(folder["small.Q8.gguf"], null, new Callback(steps.Add), factory);
        Assert.Equal("small.Q8", model.ModelId);
        Assert.Equal(steps[^1].TotalBytes, steps[^1].LoadedBytes);
        Assert.Contains(logs.Collector.GetSnapshot(), record => record.Level == LogLevel.Information && record.Message.Contains("small.Q8.gguf", StringComparison.Ordinal));
    }

    [Fact]
    public async Task LoadAsync_Cancelled_ThrowsAndFreesTheFile()
    {
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint checkpoint = TinyModels.Create())
        {
            GgufFile.Write(checkpoint, folder["m.gguf"], WeightFormat.F32);
        }

        using var source = new CancellationTokenSource();
        var progress = new Callback(_ => source.Cancel());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            LlamaModel.LoadAsync(folder["m.gguf"], new LlamaModelOptions { WeightFormat = WeightFormat.Q8_0 }, progress, null, source.Token));
        using var exclusive = new FileStream(folder["m.gguf"], FileMode.Open, FileAccess.ReadWrite, FileShare.None);
    }

    [Fact]
    public void Load_NothingThere_Throws() =>
        Assert.Throws<FileNotFoundException>(() => LlamaModel.Load(Path.Combine(Path.GetTempPath(), "no such model")));

    [Fact]
    public void Load_MoreThanTheMemory_IsRefusedWithTheFigures()
    {
        LlamaConfig huge = TinyModels.Config with { HiddenSize = 1 << 16, IntermediateSize = 1 << 18, LayerCount = 100, HeadSize = 1 << 14, ContextLength = 1 << 20 };
        var error = Assert.Throws<InsufficientMemoryException>(() => LlamaModel.Load(TinyModels.Create(1, huge)));
        Assert.Contains("needs", error.Message, StringComparison.Ordinal);
        Assert.Contains("GB are there", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EstimateMemory_GgufFile_SeparatesMappedFromCopied()
    {
        using var folder = new TemporaryFolder();
        using (RandomCheckpoint checkpoint = TinyModels.Create())
        {
            GgufFile.Write(checkpoint, folder["m.gguf"], WeightFormat.Q8_0);
        }

        MemoryEstimate packed = LlamaModel.EstimateMemory(folder["m.gguf"]);
        MemoryEstimate asStored = LlamaModel.EstimateMemory(folder["m.gguf"], new LlamaModelOptions { Repack = WeightRepacking.Never });
        MemoryEstimate single = LlamaModel.EstimateMemory(folder["m.gguf"], new LlamaModelOptions { WeightFormat = WeightFormat.F32, ContextLength = 64 });
        Assert.True(asStored.MappedBytes > asStored.WeightBytes);              // only rotary rows and norms are copied
        Assert.True(packed.MappedBytes > 0 && packed.MappedBytes < packed.WeightBytes);      // the embedding stays
        Assert.Equal(0, single.MappedBytes);
        Assert.Equal(4 * TinyModels.Config.ParameterCount, single.WeightBytes);
        Assert.Equal(64 * single.CacheBytesPerToken, single.FullContextCacheBytes);
        Assert.Equal(single.WeightBytes + single.ActivationBytes + single.FullContextCacheBytes, single.TotalBytes);
    }

    [Fact]
    public async Task Load_BackendOfOnesOwn_IsUsedAndDisposed()
    {
        var backend = new DisposableFake();
        LlamaModelOptions options = new LlamaModelOptions { WeightFormat = WeightFormat.F32 }.UseBackend((_, _, _, _) => backend);
        using (var model = LlamaModel.Load(TinyModels.Create(), options))
        {
            Assert.Equal(backend.Inner.Info, model.Info);
            using IChatClient client = model.AsIChatClient(leaveOpen: true);
            ChatResponse response = await client.GetResponseAsync("Hello", new ChatOptions { MaxOutputTokens = 3 });
            Assert.InRange(response.Usage!.OutputTokenCount!.Value, 1, 3);
        }

        Assert.True(backend.IsDisposed);
    }

    [Fact]
    public void Load_ContextBeyondTraining_Warns()
    {
        using var logs = new FakeLoggerProvider();
        using var factory = new LoggerFactory([logs]);
        LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { ContextLength = 257 }, null, factory).Dispose();
        Assert.Contains("257", Assert.Single(logs.Collector.GetSnapshot(), record => record.Level == LogLevel.Warning).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DescribeBackend_EqualsWhatALoadUses()
    {
        var options = new LlamaModelOptions { Threads = 2 };
        using var model = LlamaModel.Load(TinyModels.Create(), options);
        Assert.Equal(model.Info with { WeightFormats = "", WeightBytes = 0, CacheBytesPerToken = 0 }, LlamaModel.DescribeBackend(options));
    }

    [Fact]
    public void Load_OptionsOutOfRange_Throws()
    {
        Refuse(options => options.ContextLength = 0);
        Refuse(options => options.Threads = 0);
        Refuse(options => options.PrefixCacheBytes = -1);
        Refuse(options => options.MaxConcurrentSequences = 0);
        Refuse(options => options.MaxQueuedRequests = -1);
        Refuse(options => options.BatchTokens = 0);
        Refuse(options => options.WeightFormat = WeightFormat.Q6_K);
        Refuse(options => options.SettingsValidation = (SettingsValidation)3);
        Refuse(options => options.Generation = new GenerationOptions { TopP = 2 });

        static void Refuse(Action<LlamaModelOptions> spoil)
        {
            var options = new LlamaModelOptions();
            spoil(options);
            Assert.ThrowsAny<ArgumentException>(() => LlamaModel.Load(TinyModels.Create(), options));
        }
    }

    [Fact]
    public void Load_OptionsChangedLater_DoNotMatter()
    {
        var options = new LlamaModelOptions { ContextLength = 50 };
        using var model = LlamaModel.Load(TinyModels.Create(), options);
        options.ContextLength = 60;
        options.Generation.TopK = 3;
        Assert.Equal(50, model.Options.ContextLength);
        Assert.Null(model.Options.Generation.TopK);
    }

    [Fact]
    public async Task Dispose_ThenGenerate_Throws()
    {
        var model = LlamaModel.Load(TinyModels.Create());
        using IChatClient client = model.AsIChatClient();
        model.Dispose();
        model.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("Hello"));
    }

    [Fact]
    public async Task AsIChatClient_Disposed_TakesTheModelAlongUnlessLeftOpen()
    {
        using var model = LlamaModel.Load(TinyModels.Create());
        model.AsIChatClient(leaveOpen: true).Dispose();
        Assert.Single(await model.Engine.ScoreAsync([1, 2]));
        model.AsIChatClient().Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => model.Engine.ScoreAsync([1, 2]));
    }

    private sealed class DisposableFake : LlamaBackend
    {
        public FakeBackend Inner { get; } = new();

        public bool IsDisposed { get; private set; }

        public override BackendInfo Info => Inner.Info;

        public override LlamaConfig Config => Inner.Config;

        public override int ContextLength => Inner.ContextLength;

        public override KeyValueCache CreateCache() => Inner.CreateCache();

        public override long CacheBytes(int tokens) => Inner.CacheBytes(tokens);

        public override void Forward(LlamaBatch batch, Span<float> logits) => Inner.Forward(batch, logits);

        protected override void Dispose(bool disposing)
        {
            IsDisposed = true;
            base.Dispose(disposing);
        }
    }

    private sealed class Callback(Action<LoadProgress> action) : IProgress<LoadProgress>
    {
        public void Report(LoadProgress value) => action(value);
    }
}
