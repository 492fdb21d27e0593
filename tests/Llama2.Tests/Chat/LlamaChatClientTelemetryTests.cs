using System.Diagnostics;
using Llama2.Testing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;

namespace Llama2.Tests;

[Collection(RunsAlone.Name)]
public sealed class LlamaChatClientTelemetryTests : IDisposable
{
    private readonly string _name = $"model-{Guid.NewGuid():N}";
    private readonly List<Activity> _spans = [];
    private readonly ActivityListener _listener;
    private readonly MetricCollector<double> _durations = new(meterScope: null, LlamaTelemetry.SourceName, "gen_ai.client.operation.duration");
    private readonly MetricCollector<long> _tokens = new(meterScope: null, LlamaTelemetry.SourceName, "gen_ai.client.token.usage");
    private readonly LlamaModel _model;
    private readonly IChatClient _client;

    public LlamaChatClientTelemetryTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == LlamaTelemetry.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (Equals(activity.GetTagItem("gen_ai.request.model"), _name))
                {
                    _spans.Add(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
        _model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions { ModelId = _name, Threads = 1 });
        _client = _model.AsIChatClient(leaveOpen: true);
    }

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
        _listener.Dispose();
        _durations.Dispose();
        _tokens.Dispose();
    }

    [Fact]
    public async Task GetResponse_OneRequest_IsOneSpanAndIsCountedOnce()
    {
        ChatResponse response = await _client.GetResponseAsync("hello", new ChatOptions { MaxOutputTokens = 3, Seed = 1 });

        Activity span = Assert.Single(_spans);
        Assert.Equal(response.ResponseId, span.GetTagItem("gen_ai.response.id"));
        Assert.Null(span.GetTagItem("error.type"));
        Assert.Single(_durations.GetMeasurementSnapshot(), one => IsOurs(one));
        Assert.Equal(
            [response.Usage!.InputTokenCount!.Value, response.Usage.OutputTokenCount!.Value],
            _tokens.GetMeasurementSnapshot().Where(IsOurs).Select(one => one.Value));
    }

    [Fact]
    public async Task GetResponse_RefusedConversation_IsOneFailedSpan()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => _client.GetResponseAsync([new ChatMessage(ChatRole.Assistant, "hello")]));

        Assert.Equal("System.ArgumentException", Assert.Single(_spans).GetTagItem("error.type"));
        Assert.Equal("System.ArgumentException", Assert.Single(_durations.GetMeasurementSnapshot(), one => IsOurs(one)).Tags["error.type"]);
    }

    private bool IsOurs<T>(CollectedMeasurement<T> one)
        where T : struct => Equals(one.Tags["gen_ai.request.model"], _name);
}
