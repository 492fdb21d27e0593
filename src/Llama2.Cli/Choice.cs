using System.CommandLine;
using System.CommandLine.Parsing;

namespace Llama2.Cli;

/// <summary>Options that take one of a few names.</summary>
internal static class Choice
{
    /// <summary>Formats that weights can be converted to, under their usual names.</summary>
    public static (string Name, WeightFormat Value)[] Formats { get; } =
    [
        ("f32", WeightFormat.F32), ("f16", WeightFormat.F16), ("bf16", WeightFormat.BF16), ("q8_0", WeightFormat.Q8_0), ("q4_0", WeightFormat.Q4_0),
    ];

    public static Option<T?> Option<T>(string name, string description, params (string Name, T Value)[] choices)
        where T : struct
    {
        string[] names = [.. choices.Select(choice => choice.Name)];
        var option = new Option<T?>(name) { Description = description, HelpName = string.Join('|', names), CustomParser = Parse };
        option.CompletionSources.Add(names);
        return option;

        T? Parse(ArgumentResult result)
        {
            string value = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            foreach ((string choice, T chosen) in choices)
            {
                if (string.Equals(choice, value, StringComparison.OrdinalIgnoreCase))
                {
                    return chosen;
                }
            }

            result.AddError($"{name}: '{value}' is none of {string.Join(", ", names)}.");
            return null;
        }
    }
}
