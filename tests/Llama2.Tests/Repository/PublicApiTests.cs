namespace Llama2.Tests;

/// <summary>The public surface of the engine, as a text that a reviewer reads.</summary>
public sealed class PublicApiTests
{
    private const string Approved = "tests/Llama2.Tests/Repository/PublicApi.approved.txt";
    private const string Approve = "LLAMA2_APPROVE=1 dotnet test tests/Llama2.Tests --filter FullyQualifiedName~PublicApiTests";

    [Fact]
    public void PublicApi_Today_IsTheApprovedOne()
    {
        string received = PublicApiText.Of(typeof(LlamaModel).Assembly);
        string approvedPath = Path.Combine(RepositoryFiles.Root, Approved);
        if (Environment.GetEnvironmentVariable("LLAMA2_APPROVE") == "1")
        {
            File.WriteAllText(approvedPath, received);
        }

        string approved = File.Exists(approvedPath) ? File.ReadAllText(approvedPath).ReplaceLineEndings("\n") : "";
        if (approved != received)
        {
            string receivedPath = Path.Combine(RepositoryFiles.Root, "artifacts", "PublicApi.received.txt");
            Directory.CreateDirectory(Path.GetDirectoryName(receivedPath)!);
            File.WriteAllText(receivedPath, received);
            string[] before = approved.Split('\n'), after = received.Split('\n');
            string difference = string.Join('\n', [.. before.Except(after).Select(line => $"- {line}"), .. after.Except(before).Select(line => $"+ {line}")]);
            Assert.Fail($"The public surface changed:\n{difference}\nIf that is meant, review it and approve it with\n  {Approve}");
        }
    }

    [Fact]
    public void Of_KnownMembers_ReadAsInCode()
    {
        string text = PublicApiText.Of(typeof(LlamaModel).Assembly);

        Assert.Contains("public sealed class LlamaModelOptions\n", text, StringComparison.Ordinal);
        Assert.Contains("    int? ContextLength { get; set; }\n", text, StringComparison.Ordinal);
        Assert.Contains("    required int HiddenSize { get; init; }\n", text, StringComparison.Ordinal);
        Assert.Contains("    static Task<LlamaModel> LoadAsync(string path, LlamaModelOptions? options = null, IProgress<LoadProgress>? progress = null, ", text, StringComparison.Ordinal);
        Assert.Contains("    abstract void Forward(LlamaBatch batch, Span<float> logits)\n", text, StringComparison.Ordinal);
        Assert.Contains("public readonly record struct LoadProgress : IEquatable<LoadProgress>\n", text, StringComparison.Ordinal);
        Assert.Contains("    Q8_0 = 3\n", text, StringComparison.Ordinal);
        Assert.Contains("    const string SourceName = \"Llama2\"\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("LlamaChatClient", text, StringComparison.Ordinal);
    }
}
