using System.Text.Json;
using Llama2.Testing;
using Microsoft.Extensions.AI;

namespace Llama2.Cli.Tests;

/// <summary>A random model chooses at random; what it chose is asked of the model itself.</summary>
public sealed class EvaluateToolsTests : IDisposable
{
    private const string Tools = """
        [{"name": "paint", "description": "Paints.", "parameters": {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}}]
        """;

    private readonly TemporaryFolder _folder = new();

    public EvaluateToolsTests()
    {
        using RandomCheckpoint checkpoint = TinyModels.Create(seed: 3, TinyModels.Config with { ContextLength = 1024 });
        GgufFile.Write(checkpoint, Path, WeightFormat.F32);
    }

    private string Path => _folder["tiny.gguf"];

    private string Cases => _folder["cases.jsonl"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task EvaluateTools_Cases_AreMeasuredAndReported()
    {
        const int Count = 24;
        await WriteAsync([.. Enumerable.Range(0, Count).Select(i => Case($"item {i}", i % 2 == 0 ? "{\"name\": \"paint\", \"arguments\": {\"colour\": \"red\"}}" : "null"))]);
        string[] drawn = ["--seed", "4", "--temperature", "2", "--top-p", "1", "--max-new-tokens", "90"];

        CliResult result = (await RunAsync(["--tools", Cases, "--out", _folder["out"], "--batch-size", "3", .. drawn])).Succeeded();

        JsonElement[] rows = [.. (await File.ReadAllLinesAsync(System.IO.Path.Combine(_folder["out"], "predictions.jsonl"))).Select(line => JsonElement.Parse(line))];
        Assert.Equal(Count, rows.Length);
        int calls = 0, right = 0, function = 0, needless = 0;
        using LlamaModel model = LlamaModel.Load(Path);
        using IChatClient client = model.AsIChatClient();
        using JsonDocument tools = JsonDocument.Parse(Tools);
        var options = new ChatOptions
        {
            Tools = [AIFunctionFactory.CreateDeclaration("paint", "Paints.", tools.RootElement[0].GetProperty("parameters"))],
            AllowMultipleToolCalls = false,
            Seed = 4,
            Temperature = 2,
            TopP = 1,
            MaxOutputTokens = 90,
        };
        for (int i = 0; i < Count; i++)
        {
            ChatResponse expected = await client.GetResponseAsync($"item {i}", options);
            FunctionCallContent? call = expected.Messages[^1].Contents.OfType<FunctionCallContent>().SingleOrDefault();
            JsonElement predicted = rows[i].GetProperty("predictions");
            Assert.Equal(call is null, predicted.ValueKind == JsonValueKind.Null);
            Assert.Equal(i % 2 == 0 ? JsonValueKind.Object : JsonValueKind.Null, rows[i].GetProperty("ground_truth").ValueKind);
            if (call is not null)
            {
                string colour = ((JsonElement)call.Arguments!["colour"]!).GetString()!;
                Assert.Equal(("paint", colour), (predicted.GetProperty("name").GetString(), predicted.GetProperty("arguments").GetProperty("colour").GetString()));
                calls++;
                (function, right, needless) = i % 2 == 0 ? (function + 1, right + (colour == "red" ? 1 : 0), needless) : (function, right, needless + 1);
            }
        }

        using JsonDocument report = JsonDocument.Parse(await File.ReadAllTextAsync(System.IO.Path.Combine(_folder["out"], "report.json")));
        Dictionary<string, double> figures = report.RootElement.GetProperty("metrics").EnumerateArray()
            .ToDictionary(metric => metric.GetProperty("name").GetString()!, metric => metric.GetProperty("value").GetDouble());
        Assert.Equal(2.0 * function / Count, figures["right_function"], 12);
        Assert.Equal(2.0 * right / Count, figures["right_arguments"], 12);
        Assert.Equal(2.0 * needless / Count, figures["needless_calls"], 12);
        Assert.Equal("tool-calling", report.RootElement.GetProperty("task").GetString());
        Assert.Matches(@"(?m)^well_formed +\d\.\d{4} ", result.Output);
        Assert.Contains("24 cases, a call due in 12", result.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(System.IO.Path.Combine(_folder["out"], "performance_metadata.jsonl")));
    }

    [Fact]
    public async Task EvaluateTools_AsATask_IsTheSame()
    {
        await WriteAsync(Case("a", "null"), Case("b", "null"));

        CliResult named = (await RunAsync(["--task", "tool-calling", "--test-data", Cases, "--limit", "1", "--max-new-tokens", "4", "--json"])).Succeeded();

        Assert.Equal(1, JsonElement.Parse(named.Output).GetProperty("items").GetInt32());
        Assert.Equal(JsonValueKind.Undefined, JsonElement.Parse(named.Output).GetProperty("metrics")[1].TryGetProperty("value", out JsonElement value) ? value.ValueKind : default);
    }

    [Theory]
    [InlineData(CommandLine.Usage, "--prompt-template has no effect", "--prompt-template", "{input}")]
    [InlineData(CommandLine.Usage, "--label-column-name has no effect", "--label-column-name", "x")]
    [InlineData(CommandLine.Usage, "no place beside it", "--task", "summarization")]
    [InlineData(CommandLine.Usage, "no place beside it", "--test-data", "x")]
    public async Task EvaluateTools_WhatCannotAct_IsRefused(int code, string message, params string[] args)
    {
        await WriteAsync(Case("a", "null"));

        CliResult result = await RunAsync(["--tools", Cases, .. args]);

        Assert.Equal(code, result.Code);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task EvaluateTools_BadCases_Fail()
    {
        await WriteAsync("{}");
        Assert.Contains("line 1: 'messages' is missing", (await RunAsync(["--tools", Cases])).Error, StringComparison.Ordinal);
        await WriteAsync("");
        Assert.Contains("has no case", (await RunAsync(["--tools", Cases])).Error, StringComparison.Ordinal);
        Assert.Contains("--task is needed", (await RunAsync([])).Error, StringComparison.Ordinal);
        Assert.Contains("--test-data is needed", (await RunAsync(["--task", "summarization"])).Error, StringComparison.Ordinal);
    }

    private static string Case(string text, string expected) =>
        $$"""{"messages": [{"role": "user", "content": "{{text}}"}], "tools": {{Tools.Trim()}}, "expected": {{expected}} }""";

    private Task WriteAsync(params string[] lines) => File.WriteAllLinesAsync(Cases, lines);

    private Task<CliResult> RunAsync(string[] args) => CliRunner.RunAsync(["evaluate", Path, .. args]);
}
