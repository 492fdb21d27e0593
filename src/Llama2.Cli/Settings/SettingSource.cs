using System.CommandLine;
using System.CommandLine.Parsing;

namespace Llama2.Cli;

/// <summary>Where settings come from: the command line, and behind it a file.</summary>
internal sealed class SettingSource(ParseResult parse, SettingFile? file)
{
    /// <summary>What was given, as text; null where nothing was.</summary>
    public IReadOnlyList<string>? Find(Setting setting) =>
        IsOnCommandLine(setting) is { } result
            ? result.Tokens.Count > 0 ? [.. result.Tokens.Select(token => token.Value)] : ["true"]     // a flag that stands alone
            : file?.Values.GetValueOrDefault(setting.Key);

    public bool IsGiven(Setting setting) => Find(setting) is not null;

    /// <summary>What the user wrote: <c>--seed</c>, or <c>seed</c> with the file's name.</summary>
    public string NameOf(Setting setting) =>
        IsOnCommandLine(setting) is null && file is not null && file.Values.ContainsKey(setting.Key) ? $"{file.Path}: {setting.Key}" : setting.Option.Name;

    private OptionResult? IsOnCommandLine(Setting setting) => parse.GetResult(setting.Option) is { Implicit: false } result ? result : null;
}
