using System.Text.RegularExpressions;

namespace Llama2.Tests;

/// <summary>Every C# block of the README is code that the build compiles.</summary>
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
