using System.Diagnostics;
using System.Xml.Linq;
using Llama2.Testing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.SemanticKernel.ChatCompletion;

namespace Llama2.SemanticKernel.Tests;

/// <summary>Checks 67 and 69: what the package needs, and telemetry in the pipeline.</summary>
public sealed class PackageTests(TinyModelFixture tiny) : IClassFixture<TinyModelFixture>
{
    private const string Secret = "the word is swordfish";

    [Fact]
    public void Check67_Package_NeedsSemanticKernelsAbstractionsOnly()
    {
        XDocument project = XDocument.Load(Path.Combine(TestData.Repository, "src/Llama2.SemanticKernel/Llama2.SemanticKernel.csproj"));

        Assert.Equal("Microsoft.SemanticKernel.Abstractions", Assert.Single(project.Descendants("PackageReference")).Attribute("Include")!.Value);
        Assert.Empty(project.Descendants("NoWarn"));
        Assert.DoesNotContain(typeof(Llama2PromptExecutionSettings).Assembly.GetReferencedAssemblies(), name =>
            name.Name!.StartsWith("Microsoft.SemanticKernel", StringComparison.Ordinal) && name.Name != "Microsoft.SemanticKernel.Abstractions");
    }

    [Fact]
    public async Task Check69_LoggingInThePipeline_ShowsTextsAtTraceOnly()
    {
        foreach (LogLevel level in new[] { LogLevel.Debug, LogLevel.Trace })
        {
            var collector = new FakeLogCollector();
            using ILoggerFactory factory = LoggerFactory.Create(logging => logging.SetMinimumLevel(level).AddProvider(new FakeLoggerProvider(collector)));
            using IChatClient client = tiny.Model.AsIChatClient(leaveOpen: true).AsBuilder().UseLogging(factory).Build();

            await client.AsChatCompletionService().GetChatMessageContentAsync(new ChatHistory(Secret, AuthorRole.User), TinyModelFixture.Greedy(2));

            Assert.NotEmpty(collector.GetSnapshot());
            Assert.Equal(level == LogLevel.Trace, collector.GetSnapshot().Any(record => record.Message.Contains("swordfish", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task Check69_OpenTelemetryInThePipeline_GivesSpansWithoutTexts()
    {
        string source = $"test-{Guid.NewGuid():N}";
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = candidate => candidate.Name == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        using IChatClient client = tiny.Model.AsIChatClient(leaveOpen: true).AsBuilder().UseOpenTelemetry(sourceName: source).Build();

        await client.AsChatCompletionService().GetChatMessageContentAsync(new ChatHistory(Secret, AuthorRole.User), TinyModelFixture.Greedy(2));

        Activity span = Assert.Single(spans);
        Assert.Equal("chat tiny", span.DisplayName);
        Assert.Equal(2, Convert.ToInt32(span.GetTagItem("gen_ai.request.max_tokens"), System.Globalization.CultureInfo.InvariantCulture));
        Assert.DoesNotContain(span.TagObjects, tag => tag.Value is string text && text.Contains("swordfish", StringComparison.Ordinal));
    }
}
