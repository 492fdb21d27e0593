using System.Diagnostics;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace Llama2.Tests;

[Collection(RunsAlone.Name)]
public sealed class ChatTelemetryTests : IDisposable
{
    private static readonly ChatMessage[] _messages = [new(ChatRole.System, "Be brief."), new(ChatRole.User, "Did it rain?")];
    private readonly string _model = $"model-{Guid.NewGuid():N}";
    private readonly List<Activity> _stopped = [];
    private readonly ActivityListener _listener;

    public ChatTelemetryTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == LlamaTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (Equals(activity.GetTagItem("gen_ai.request.model"), _model))
                {
                    _stopped.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    [Fact]
    public void Start_AllSettings_SpanHasThem()
    {
        var options = new GenerationOptions
        {
            Temperature = 0.5f,
            TopP = 0.25f,
            TopK = 7,
            MaxNewTokens = 99,
            Seed = 1234567890123,
            PresencePenalty = 1,
            FrequencyPenalty = -1,
            StopSequences = ["END", "\n"],
        };

        using (ChatTelemetry telemetry = Start(options))
        {
            telemetry.Complete(Results.Create(), "response-1");
        }

        Activity span = Assert.Single(_stopped);
        Assert.Equal($"chat {_model}", span.DisplayName);
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
        Assert.Equal("chat", span.GetTagItem("gen_ai.operation.name"));
        Assert.Equal("llama2", span.GetTagItem("gen_ai.provider.name"));
        Assert.Equal(0.5, span.GetTagItem("gen_ai.request.temperature"));
        Assert.Equal(0.25, span.GetTagItem("gen_ai.request.top_p"));
        Assert.Equal(7, span.GetTagItem("gen_ai.request.top_k"));
        Assert.Equal(99, span.GetTagItem("gen_ai.request.max_tokens"));
        Assert.Equal(1234567890123, span.GetTagItem("gen_ai.request.seed"));
        Assert.Equal(1.0, span.GetTagItem("gen_ai.request.presence_penalty"));
        Assert.Equal(-1.0, span.GetTagItem("gen_ai.request.frequency_penalty"));
        Assert.Equal(["END", "\n"], Assert.IsType<string[]>(span.GetTagItem("gen_ai.request.stop_sequences")));
        Assert.Equal(_model, span.GetTagItem("gen_ai.response.model"));
        Assert.Equal("response-1", span.GetTagItem("gen_ai.response.id"));
        Assert.Equal(["stop"], Assert.IsType<string[]>(span.GetTagItem("gen_ai.response.finish_reasons")));
        Assert.Equal(10, span.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal(3, span.GetTagItem("gen_ai.usage.cache_read.input_tokens"));
        Assert.Equal(5, span.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Null(span.GetTagItem("error.type"));
    }

    [Fact]
    public void Start_NothingSet_SpanHasNoSettings()
    {
        using (ChatTelemetry telemetry = Start(new GenerationOptions()))
        {
            telemetry.Complete(Results.Create(), "response-1");
        }

        string[] settings = Assert.Single(_stopped).TagObjects.Select(tag => tag.Key).Where(key => key.StartsWith("gen_ai.request.", StringComparison.Ordinal)).ToArray();
        Assert.Equal(["gen_ai.request.model"], settings);
    }

    [Fact]
    public void Complete_SensitiveDataOff_NoTextAppears()
    {
        using (ChatTelemetry telemetry = Start(new GenerationOptions()))
        {
            telemetry.Complete(Results.Create(), "response-1");
        }

        string all = string.Join('\n', Assert.Single(_stopped).TagObjects.Select(tag => $"{tag.Key}={tag.Value}"));
        Assert.DoesNotContain("rain", all, StringComparison.Ordinal);
        Assert.DoesNotContain("messages", all, StringComparison.Ordinal);
    }

    [Fact]
    public void Complete_SensitiveDataOn_SpanHasTheMessages()
    {
        using (ChatTelemetry telemetry = Start(new GenerationOptions(), enableSensitiveData: true))
        {
            telemetry.Complete(Results.Create(finishReason: GenerationFinishReason.Length), "response-1");
        }

        Activity span = Assert.Single(_stopped);
        Assert.Equal(
            """[{"role":"system","parts":[{"type":"text","content":"Be brief."}]},{"role":"user","parts":[{"type":"text","content":"Did it rain?"}]}]""",
            span.GetTagItem("gen_ai.input.messages"));
        Assert.Equal(
            """[{"role":"assistant","parts":[{"type":"text","content":"It rained \"all\" day — naïvely."}],"finish_reason":"length"}]""",
            span.GetTagItem("gen_ai.output.messages"));
    }

    [Fact]
    public void Fail_Exception_SpanIsAnError()
    {
        using (ChatTelemetry telemetry = Start(new GenerationOptions()))
        {
            telemetry.Fail(new ContextOverflowException(300, 256));
        }

        Activity span = Assert.Single(_stopped);
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal("Llama2.ContextOverflowException", span.GetTagItem("error.type"));
        Assert.Null(span.GetTagItem("gen_ai.usage.output_tokens"));
    }

    [Fact]
    public void Fail_Cancelled_SpanStillHasTheUsage()
    {
        using (ChatTelemetry telemetry = Start(new GenerationOptions()))
        {
            telemetry.Fail(new GenerationCanceledException(Results.Create(2, GenerationFinishReason.Cancelled), CancellationToken.None));
        }

        Activity span = Assert.Single(_stopped);
        Assert.Equal("Llama2.GenerationCanceledException", span.GetTagItem("error.type"));
        Assert.Equal(2, span.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Equal(["cancelled"], Assert.IsType<string[]>(span.GetTagItem("gen_ai.response.finish_reasons")));
    }

    [Fact]
    public void Dispose_ReaderGaveUp_CountsAsCancelled()
    {
        Start(new GenerationOptions()).Dispose();

        Assert.Equal("System.OperationCanceledException", Assert.Single(_stopped).GetTagItem("error.type"));
    }

    [Fact]
    public void Start_InsideAnotherSpan_IsItsChildAndGivesItBack()
    {
        using var outer = new Activity("outer").Start();

        using (Start(new GenerationOptions()))
        {
            Assert.NotSame(outer, Activity.Current);
        }

        Assert.Same(outer, Activity.Current);
        Assert.Equal(outer.Id, Assert.Single(_stopped).ParentId);
    }

    [Fact]
    public void Metrics_OneSuccessAndOneFailure_RecordDurationAndTokens()
    {
        using var duration = new MetricCollector<double>(meterScope: null, LlamaTelemetry.SourceName, "gen_ai.client.operation.duration");
        using var usage = new MetricCollector<long>(meterScope: null, LlamaTelemetry.SourceName, "gen_ai.client.token.usage");

        using (ChatTelemetry telemetry = Start(new GenerationOptions()))
        {
            telemetry.Complete(Results.Create(), "response-1");
        }

        using (ChatTelemetry telemetry = Start(new GenerationOptions()))
        {
            telemetry.Fail(new TimeoutException());
        }

        CollectedMeasurement<double>[] durations = [.. duration.GetMeasurementSnapshot().Where(one => Equals(one.Tags["gen_ai.request.model"], _model))];
        Assert.Equal(2, durations.Length);
        Assert.All(durations, one => Assert.InRange(one.Value, 0, 60));
        Assert.False(durations[0].Tags.ContainsKey("error.type"));
        Assert.Equal("System.TimeoutException", durations[1].Tags["error.type"]);
        Assert.Equal("chat", durations[0].Tags["gen_ai.operation.name"]);
        Assert.Equal(
            [("input", 10L), ("output", 5L)],
            usage.GetMeasurementSnapshot().Where(one => Equals(one.Tags["gen_ai.request.model"], _model)).Select(one => ((string)one.Tags["gen_ai.token.type"]!, one.Value)));
    }

    [Fact]
    public void Name_EveryReason_HasOne() =>
        Assert.Equal(["stop", "stop", "length", "cancelled"], Enum.GetValues<GenerationFinishReason>().Select(LlamaTelemetry.Name));

    [Fact]
    public void Name_UnknownReason_Throws() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => LlamaTelemetry.Name((GenerationFinishReason)99));

    private ChatTelemetry Start(GenerationOptions options, bool enableSensitiveData = false)
    {
        ChatTelemetry? telemetry = ChatTelemetry.Start(_model, options, _messages, enableSensitiveData);
        Assert.NotNull(telemetry);
        return telemetry;
    }
}
