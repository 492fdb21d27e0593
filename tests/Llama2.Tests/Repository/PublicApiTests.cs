namespace Llama2.Tests;

/// <summary>The public surface of the engine, as a text that a reviewer reads.</summary>
public sealed class PublicApiTests
{
    [Fact]
    public void PublicApi_Today_IsTheApprovedOne() =>
        PublicApiText.AssertApproved(typeof(LlamaModel).Assembly, "tests/Llama2.Tests", "Repository/PublicApi.approved.txt");

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
