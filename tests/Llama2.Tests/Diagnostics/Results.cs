namespace Llama2.Tests;

/// <summary>Results of generations that never ran.</summary>
internal static class Results
{
    public const string Answer = "It rained \"all\" day — naïvely.";

    public static GenerationResult Create(
        int completionTokens = 5, GenerationFinishReason finishReason = GenerationFinishReason.Stop, int droppedPromptTokens = 0)
    {
        return new()
        {
            Text = Answer,
            PromptTokenIds = Enumerable.Range(1, 10).ToArray(),
            TokenIds = Enumerable.Range(1, completionTokens).ToArray(),
            FinishReason = finishReason,
            Usage = new(PromptTokens: 10, CachedPromptTokens: 3, completionTokens),
            Timings = new(
                Queue: TimeSpan.FromSeconds(0.25), Prefill: TimeSpan.FromSeconds(0.5), FirstToken: TimeSpan.FromSeconds(1), Decode: TimeSpan.FromSeconds(2)),
            EffectiveOptions = new GenerationOptions(),
            DroppedPromptTokens = droppedPromptTokens,
        };
    }
}
