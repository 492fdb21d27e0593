using System.ComponentModel;
using System.Text.Json;
using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Tests;

/// <summary>Answers of a given form, asked for in the ways of Microsoft.Extensions.AI.</summary>
public sealed class LlamaChatClientConstraintTests : IDisposable
{
    private static readonly ChatMessage[] _hello = [new(ChatRole.User, "hi")];
    private readonly LlamaModel _model = LlamaModel.Load(TinyModels.Create(config: TinyModels.Config with { ContextLength = 1024 }));
    private readonly IChatClient _client;

    public LlamaChatClientConstraintTests() => _client = _model.AsIChatClient(leaveOpen: true);

    private enum Mood
    {
        Calm,
        Angry,
    }

    public void Dispose()
    {
        _client.Dispose();
        _model.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task GetResponseOfT_RandomWeights_GivesTheTypedResult(int seed)
    {
        ChatResponse<Report> response = await _client.GetResponseAsync<Report>(_hello, new ChatOptions { Seed = seed });
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Report report = response.Result;
        Assert.InRange(report.Stars, 1, 5);
        Assert.Equal(36, report.Id.ToString().Length);
        Assert.True(Enum.IsDefined(report.Mood));
    }

    [Fact]
    public async Task GetResponseOfT_Primitives_AreWrapped()
    {
        Assert.True((await _client.GetResponseAsync<Mood>(_hello, new ChatOptions { Seed = 1 })).TryGetResult(out Mood mood) && Enum.IsDefined(mood));
        Assert.True((await _client.GetResponseAsync<bool>(_hello, new ChatOptions { Seed = 1 })).TryGetResult(out _));
        Assert.True((await _client.GetResponseAsync<DateTimeOffset>(_hello, new ChatOptions { Seed = 1 })).TryGetResult(out _));
    }

    [Fact]
    public async Task GetResponse_ChoiceAndRegex_ComeByAdditionalProperties()
    {
        string[] choices = [" left", "right", " up"];
        ChatResponse response = await _client.GetResponseAsync(_hello, new() { AdditionalProperties = new() { ["choice"] = choices } });
        Assert.Contains(response.Text, choices);
        var settings = (AdditionalPropertiesDictionary)response.AdditionalProperties!["effective_settings"]!;
        Assert.Equal(choices, Assert.IsAssignableFrom<IReadOnlyList<string>>(settings["choice"]));
        response = await _client.GetResponseAsync(_hello, new() { AdditionalProperties = new() { ["regex"] = "[ab]{3}-[0-9]" } });
        Assert.Matches("^[ab]{3}-[0-9]$", response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
    }

    [Fact]
    public async Task GetStreamingResponse_Schema_IsThatOfTheWholeAnswer()
    {
        JsonElement schema = AIJsonUtilities.CreateJsonSchema(typeof(Report));
        var options = new ChatOptions { Seed = 4, ResponseFormat = ChatResponseFormat.ForJsonSchema(schema, "report") };
        var updates = new List<ChatResponseUpdate>();
        await foreach (ChatResponseUpdate update in _client.GetStreamingResponseAsync(_hello, options))
        {
            updates.Add(update);
        }

        string text = string.Concat(updates.Select(update => update.Text));
        Assert.Equal((await _client.GetResponseAsync(_hello, options)).Text, text);
        using JsonDocument document = JsonDocument.Parse(text);
        Assert.True(updates.Count(update => update.Text.Length > 0) > 5, "it comes bit by bit");
    }

    [Fact]
    public async Task GetResponse_UnsupportedKeyword_ThrowsBeforeAnyWork()
    {
        JsonElement schema = JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"integer","multipleOf":2}}}""").RootElement;
        GenerationConstraintException exception = await Assert.ThrowsAsync<GenerationConstraintException>(
            () => _client.GetResponseAsync(_hello, new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(schema) }));
        Assert.Equal("#/properties/a/multipleOf", exception.Location);
        Assert.Null(_model.Engine.Loop.Thread);
    }

    private sealed record Report(
        [property: Description("how angry")] Mood Mood,
        [property: System.ComponentModel.DataAnnotations.Range(1, 5)] int Stars,
        long? Count,
        bool IsNew,
        Guid Id,
        DateTime Day,
        double Score,
        IReadOnlyDictionary<string, bool> Flags);
}
