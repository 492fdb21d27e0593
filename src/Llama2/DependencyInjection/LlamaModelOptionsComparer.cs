namespace Llama2;

/// <summary>Whether two sets of options would load the same model: by value, lists by their items, a template by reference.</summary>
internal static class LlamaModelOptionsComparer
{
    public static bool AreEqual(LlamaModelOptions x, LlamaModelOptions y) =>
        x.ModelId == y.ModelId
        && x.Backend == y.Backend
        && x.WeightFormat == y.WeightFormat
        && x.Repack == y.Repack
        && x.CacheFormat == y.CacheFormat
        && x.ContextLength == y.ContextLength
        && x.Threads == y.Threads
        && x.PrefixCacheBytes == y.PrefixCacheBytes
        && x.MaxConcurrentSequences == y.MaxConcurrentSequences
        && x.MaxQueuedRequests == y.MaxQueuedRequests
        && x.BatchTokens == y.BatchTokens
        && x.PromptLookup == y.PromptLookup
        && x.SettingsValidation == y.SettingsValidation
        && ReferenceEquals(x.ChatTemplate, y.ChatTemplate)
        && x.ToolPrompt == y.ToolPrompt
        && x.EnableSensitiveData == y.EnableSensitiveData
        && x.CheckMemory == y.CheckMemory
        && x.MergedAdapter == y.MergedAdapter
        && AreEqual(x.Adapters.OrderBy(pair => pair.Key, StringComparer.Ordinal), y.Adapters.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        && AreEqual(x.Generation, y.Generation);

    private static bool AreEqual(GenerationOptions x, GenerationOptions y) =>
        WithoutCollections(x) == WithoutCollections(y)
        && AreEqual(x.BadWords, y.BadWords)
        && AreEqual(x.StopSequences, y.StopSequences)
        && AreEqual(x.StopTokenIds, y.StopTokenIds)
        && AreEqual(x.LogitBias?.OrderBy(pair => pair.Key), y.LogitBias?.OrderBy(pair => pair.Key));

    private static GenerationOptions WithoutCollections(GenerationOptions options) =>
        options with { BadWords = null, StopSequences = null, StopTokenIds = null, LogitBias = null };

    private static bool AreEqual<T>(IEnumerable<T>? x, IEnumerable<T>? y) => x is null || y is null ? ReferenceEquals(x, y) : x.SequenceEqual(y);
}
