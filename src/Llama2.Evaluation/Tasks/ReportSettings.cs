using System.Globalization;
using Microsoft.Extensions.AI;

namespace Llama2.Evaluation;

/// <summary>How an evaluation was run, for its report.</summary>
internal static class ReportSettings
{
    public static IReadOnlyDictionary<string, string> Of(EvaluatorOptions options, params ReadOnlySpan<(string Name, bool Value)> switches)
    {
        ChatOptions? chat = options.ChatOptions;
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["prompt_template"] = options.PromptTemplate };
        Add("system_prompt", options.SystemPrompt);
        Add("temperature", chat?.Temperature);
        Add("top_p", chat?.TopP);
        Add("top_k", chat?.TopK);
        Add("seed", chat?.Seed);
        Add("max_tokens", chat?.MaxOutputTokens);
        foreach ((string name, bool value) in switches)
        {
            settings[name] = value ? "true" : "false";
        }

        return settings;

        void Add(string name, object? value)
        {
            if (value is not null)
            {
                settings[name] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            }
        }
    }

    public static IReadOnlyList<string> Failures(IReadOnlyList<EvaluatedItem> items)
    {
        EvaluatedItem[] failed = [.. items.Where(item => item.Error is not null)];
        return failed.Length == 0
            ? []
            : [$"{ReportNumber.Count(failed.Length)} of {ReportNumber.Count(items.Count)} items failed and count as wrong; the first: {failed[0].Error}"];
    }
}
