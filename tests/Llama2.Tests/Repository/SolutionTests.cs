using System.Text.RegularExpressions;

namespace Llama2.Tests;

/// <summary>The solution file and what no file of the repository may say.</summary>
public sealed partial class SolutionTests
{
    private static readonly string _solution = RepositoryFiles.Read("Llama2.SemanticKernel.sln");

    [Fact]
    public void Solution_Projects_AreTheOnesOnDisk() =>
        Assert.Equal(
            RepositoryFiles.Projects.Select(project => project.Path),
            ProjectLine().Matches(_solution).Select(match => match.Groups[1].Value.Replace('\\', '/')).Order(StringComparer.Ordinal));

    [Fact]
    public void Solution_Configurations_BuildLeavesInEverythingOnly()
    {
        var wrong = new List<string>();
        foreach (RepositoryFiles.Project project in RepositoryFiles.Projects)
        {
            string id = ProjectLine().Matches(_solution).Single(match => match.Groups[1].Value.Replace('\\', '/') == project.Path).Groups[2].Value;
            foreach ((string configuration, string mapped) in new[] { ("Debug", "Debug"), ("Release", "Release"), ("Everything", "Release") })
            {
                bool mustBuild = configuration == "Everything" || !IsLeaf(project);
                if (!_solution.Contains($"{id}.{configuration}|Any CPU.ActiveCfg = {mapped}|Any CPU", StringComparison.Ordinal))
                {
                    wrong.Add($"{project} has no {configuration} → {mapped}");
                }

                if (mustBuild != _solution.Contains($"{id}.{configuration}|Any CPU.Build.0 = {mapped}|Any CPU", StringComparison.Ordinal))
                {
                    wrong.Add($"{project} must {(mustBuild ? "" : "not ")}build in {configuration}");
                }
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Projects_PackageVersions_StandInOnePlace()
    {
        IEnumerable<string> wrong = RepositoryFiles.Projects
            .Where(project => PackageWithVersion().IsMatch(RepositoryFiles.Read(project.Path)))
            .Select(project => project.Path);

        Assert.Empty(wrong);
    }

    [Fact]
    public void Files_Text_NamesNoPackageSourceAndNoPathOfAMachine()
    {
        string[] extensions = [".cs", ".csproj", ".props", ".targets", ".sln", ".json", ".config", ".md", ".yml", ".txt", ".sh", ".js", ".editorconfig", ".gitignore", ""];
        IEnumerable<string> wrong =
            from file in RepositoryFiles.All(".", "*")
            where extensions.Contains(Path.GetExtension(file))
            from match in Forbidden().Matches(RepositoryFiles.Read(file))
            select $"{file}: {match.Value}";

        Assert.Empty(wrong);
    }

    /// <summary>The patterns hold character classes where a literal would be found in this very file.</summary>
    [Theory]
    [InlineData("https://api.", "nuget", ".org/v3/index.json")]
    [InlineData("https://", "registry", ".example.org")]
    [InlineData("http://", "artifactory", ".corp.example/nuget")]
    [InlineData("path = \"/ho", "me/", "someone/models\"")]
    [InlineData("cd /ro", "ot/", "models")]
    [InlineData("C:\\Us", "ers\\", "someone")]
    public void Forbidden_Examples_AreFound(string start, string middle, string end) => Assert.Matches(Forbidden(), start + middle + end);

    [Theory]
    [InlineData("https://opentelemetry.io/docs")]
    [InlineData("src/home/file.cs")]
    [InlineData("~/.cache/models")]
    public void Forbidden_OrdinaryText_IsNotFound(string text) => Assert.DoesNotMatch(Forbidden(), text);

    private static bool IsLeaf(RepositoryFiles.Project project) =>
        project.Packages.Any(package => LeafPackage().IsMatch(package))
        || project.References.Where(reference => !reference.IsConditional)
            .Any(reference => IsLeaf(RepositoryFiles.Projects.Single(other => other.Name == reference.Name)));

    [GeneratedRegex(@"^Project\(""[^""]+""\) = ""[^""]+"", ""([^""]+\.csproj)"", ""(\{[^""]+\})""", RegexOptions.Multiline)]
    private static partial Regex ProjectLine();

    [GeneratedRegex("^(Microsoft[.]SemanticKernel|TorchSharp|libtorch)", RegexOptions.IgnoreCase)]
    private static partial Regex LeafPackage();

    [GeneratedRegex("<PackageReference[^>]+Version=")]
    private static partial Regex PackageWithVersion();

    [GeneratedRegex(@"https?://[\w.-]*(?:n[u]get|n[p]m|p[y]pi|r[e]gistry|a[r]tifactory|n[e]xus|m[i]rror)[\w.-]*|(?<![\w.~/])/(?:h[o]me/\w|r[o]ot/\w|w[o]rk/\w|U[s]ers/\w)|[A-Z]:\\U[s]ers\\", RegexOptions.IgnoreCase)]
    private static partial Regex Forbidden();
}
