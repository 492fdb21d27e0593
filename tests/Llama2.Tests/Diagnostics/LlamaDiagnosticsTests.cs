using Llama2.Testing;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace Llama2.Tests;

[Collection(RunsAlone.Name)]
public sealed class LlamaDiagnosticsTests : IDisposable
{
    private readonly string _model = $"model-{Guid.NewGuid():N}";           // engines of other tests may still write to the same instruments
    private readonly FakeLogCollector _logs = new();
    private readonly LoggerFactory _loggerFactory = new();

    public LlamaDiagnosticsTests() => _loggerFactory.AddProvider(new FakeLoggerProvider(_logs));

    public void Dispose() => _loggerFactory.Dispose();

    [Fact]
    public void Completed_Result_RecordsTimesAndTokens()
    {
        using var queue = Collect<double>("llama2.request.queue_time");
        using var request = Collect<double>("gen_ai.server.request.duration");
        using var first = Collect<double>("gen_ai.server.time_to_first_token");
        using var perToken = Collect<double>("gen_ai.server.time_per_output_token");
        using var cached = Collect<long>("llama2.prompt.cached_tokens");
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, loggerFactory: null);

        diagnostics.Queued();
        diagnostics.Started();
        diagnostics.Completed(Results.Create(completionTokens: 5));

        Assert.Equal([0.25], Values(queue));
        Assert.Equal([3.0], Values(request));
        Assert.Equal([1.0], Values(first));
        Assert.Equal([0.5], Values(perToken));
        Assert.Equal([3L], Values(cached));
        IReadOnlyDictionary<string, object?> tags = Assert.Single(first.GetMeasurementSnapshot(), Mine).Tags;
        Assert.Equal("text_completion", tags["gen_ai.operation.name"]);
        Assert.Equal("llama2", tags["gen_ai.provider.name"]);
    }

    [Fact]
    public void Completed_NothingGenerated_RecordsNoTokenTimes()
    {
        using var queue = Collect<double>("llama2.request.queue_time");
        using var first = Collect<double>("gen_ai.server.time_to_first_token");
        using var perToken = Collect<double>("gen_ai.server.time_per_output_token");
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, loggerFactory: null);

        diagnostics.Queued();
        diagnostics.Completed(Results.Create(completionTokens: 0, GenerationFinishReason.Cancelled), started: false);

        Assert.Equal([0.25], Values(queue));
        Assert.Empty(Values(first));
        Assert.Empty(Values(perToken));
        Assert.Equal(0, diagnostics.QueuedRequests);
    }

    [Fact]
    public void Levels_RequestsComeAndGo_FollowThem()
    {
        using var queued = Collect<long>("llama2.requests.queued");
        using var active = Collect<long>("llama2.requests.active");
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, loggerFactory: null);

        diagnostics.Queued();
        diagnostics.Queued();
        diagnostics.Queued();
        diagnostics.Started();
        diagnostics.Started();
        Assert.Equal((1, 2), (diagnostics.QueuedRequests, diagnostics.ActiveRequests));

        diagnostics.Completed(Results.Create());
        diagnostics.Failed(new IOException("gone"), started: false);
        Assert.Equal((0, 1), (diagnostics.QueuedRequests, diagnostics.ActiveRequests));
        Assert.Equal((0L, 1L), (Values(queued).Sum(), Values(active).Sum()));

        diagnostics.Failed(new IOException("gone"));
        Assert.Equal((0L, 0L), (Values(queued).Sum(), Values(active).Sum()));
    }

    [Fact]
    public void PrefixCacheSized_SizesChange_SumIsTheLastSizeAndDisposeTakesItAway()
    {
        using var bytes = Collect<long>("llama2.prefix_cache.bytes");
        var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, loggerFactory: null);

        diagnostics.PrefixCacheSized(1000);
        diagnostics.PrefixCacheSized(1000);
        diagnostics.PrefixCacheSized(400);
        Assert.Equal([1000L, -600L], Values(bytes));

        diagnostics.Dispose();
        Assert.Equal(0, Values(bytes).Sum());
    }

    [Fact]
    public void Dispose_RequestsLeft_LevelsReturnToZero()
    {
        using var queued = Collect<long>("llama2.requests.queued");
        using var active = Collect<long>("llama2.requests.active");
        var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, loggerFactory: null);
        diagnostics.Queued();
        diagnostics.Queued();
        diagnostics.Started();

        diagnostics.Dispose();

        Assert.Equal((0L, 0L), (Values(queued).Sum(), Values(active).Sum()));
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void Completed_AnswerText_AppearsInTheLogOnlyWithSensitiveData(bool enableSensitiveData, int expected)
    {
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData, _loggerFactory);

        diagnostics.Queued();
        diagnostics.Started();
        diagnostics.Completed(Results.Create());

        IReadOnlyList<FakeLogRecord> records = _logs.GetSnapshot();
        Assert.Equal(expected, records.Count(record => record.Message.Contains(Results.Answer, StringComparison.Ordinal)));
        FakeLogRecord finished = Assert.Single(records, record => record.Level == LogLevel.Debug);
        Assert.Contains("10 prompt tokens, 3 of them cached, 5 generated", finished.Message, StringComparison.Ordinal);
        Assert.Contains("(Stop)", finished.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Completed_PromptWasCut_Warns()
    {
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, _loggerFactory);

        diagnostics.Completed(Results.Create(droppedPromptTokens: 17));

        FakeLogRecord warning = Assert.Single(_logs.GetSnapshot(), record => record.Level == LogLevel.Warning);
        Assert.Contains("17 tokens", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Failed_Exception_IsLogged()
    {
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, _loggerFactory);
        var exception = new IOException("the disk is gone");

        diagnostics.Failed(exception);

        Assert.Same(exception, Assert.Single(_logs.GetSnapshot(), record => record.Level == LogLevel.Error).Exception);
    }

    [Fact]
    public void CacheEvicted_Always_IsTraced()
    {
        using var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, _loggerFactory);

        diagnostics.CacheEvicted(tokens: 12, bytes: 3456);

        FakeLogRecord trace = Assert.Single(_logs.GetSnapshot());
        Assert.Equal(LogLevel.Trace, trace.Level);
        Assert.Contains("12 tokens, 3456 bytes", trace.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Log_EveryMessage_HasItsOwnEventIdAndSaysItsArguments()
    {
        ILogger logger = _loggerFactory.CreateLogger("all");

        logger.ModelLoading("a.gguf");
        logger.ModelLoaded("a", "a.gguf", "GGUF v3", "Q8_0", 42, "cpu", "AVX2", 2, 7);
        logger.WarmedUp("a", 9);
        logger.WarmUpFailed(new IOException(), "a.gguf");

        IReadOnlyList<FakeLogRecord> records = _logs.GetSnapshot();
        Assert.Equal(records.Count, records.Select(record => record.Id.Id).Distinct().Count());
        Assert.Contains(records, record => record.Message == "Loaded a from a.gguf (GGUF v3) in 7 ms: Q8_0, 42 bytes of weights, on cpu with AVX2 and 2 threads.");
        Assert.Contains(records, record => record.Level == LogLevel.Error && record.Message.Contains("a.gguf", StringComparison.Ordinal));
    }

    [Fact]
    public void Completed_NobodyListens_AllocatesNothing()
    {
        var diagnostics = new LlamaDiagnostics(_model, enableSensitiveData: false, loggerFactory: null);
        GenerationResult result = Results.Create();
        Assert.False(LlamaTelemetry.QueueTime.Enabled);
        Assert.Equal(0, Allocations.Of(Run));

        void Run()
        {
            diagnostics.Queued();
            diagnostics.Started();
            diagnostics.Completed(result);
        }
    }

    private static MetricCollector<T> Collect<T>(string instrument)
        where T : struct => new(meterScope: null, LlamaTelemetry.SourceName, instrument);

    private bool Mine<T>(CollectedMeasurement<T> measurement)
        where T : struct => Equals(measurement.Tags["gen_ai.request.model"], _model);

    private T[] Values<T>(MetricCollector<T> collector)
        where T : struct => [.. collector.GetMeasurementSnapshot().Where(Mine).Select(measurement => measurement.Value)];
}
