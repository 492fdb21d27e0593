using System.Text.RegularExpressions;

namespace Llama2.Tests;

/// <summary>What the README shows is what there is: its C# blocks are code that the build compiles.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public void Readme_CSharpBlocks_OccurInCompiledFiles()
    {
        string[] compiled =
        [
            .. RepositoryFiles.All("tests/Llama2.Tests/Repository", "ReadmeSnippets.cs").Concat(RepositoryFiles.All("samples", "Program.cs")).Select(file => Trim(RepositoryFiles.Read(file))),
        ];
        string[] blocks = [.. Block().Matches(RepositoryFiles.Read("README.md").ReplaceLineEndings("\n")).Select(match => match.Groups[1].Value)];

        Assert.NotEmpty(blocks);
        Assert.All(blocks, block => Assert.True(compiled.Any(file => Holds(file, block)), $"This block is in no compiled file:\n{block}"));
    }

    [Fact]
    public void Readme_SettingsTable_NamesEverySetting()
    {
        string readme = RepositoryFiles.Read("README.md");
        string[] synonyms = ["stop", "max_tokens"];
        Assert.All(GenerationSetting.All.Select(setting => setting.Name).Except(synonyms), name => Assert.Contains($"`{name}`", readme, StringComparison.Ordinal));
    }

    /// <summary>Its using directives stand anywhere in the file; the rest stands there line for line, at any indentation.</summary>
    private static bool Holds(string file, string block)
    {
        ILookup<bool, string> lines = Trim(block).Split('\n').ToLookup(line => UsingDirective().IsMatch(line));
        string body = string.Join('\n', lines[false]).Trim('\n');
        return lines[true].All(line => file.Contains($"{line}\n", StringComparison.Ordinal)) && $"\n{file}\n".Contains($"\n{body}\n", StringComparison.Ordinal);
    }

    private static string Trim(string code) => string.Join('\n', code.ReplaceLineEndings("\n").Split('\n').Select(line => line.Trim()));

    [GeneratedRegex(@"^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"^using [\w.]+;$")]
    private static partial Regex UsingDirective();
}
