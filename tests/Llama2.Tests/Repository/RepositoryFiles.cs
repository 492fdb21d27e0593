using System.Text.RegularExpressions;
using System.Xml.Linq;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>What the repository's own tests read: project files and sources below <c>src</c>, <c>samples</c> and <c>tests</c>.</summary>
internal static partial class RepositoryFiles
{
    private static readonly string[] _generated = ["artifacts", "bin", "obj", ".git", "node_modules", "TestResults", ".vs", ".idea"];

    public static string Root => TestData.Repository;

    public static IReadOnlyList<Project> Projects { get; } =
        [.. new[] { "src", "samples", "tests" }.SelectMany(folder => All(folder, "*.csproj")).Select(path => new Project(path)).OrderBy(project => project.Path, StringComparer.Ordinal)];

    /// <summary>Files of a folder that people wrote, as paths relative to the root with forward slashes.</summary>
    public static IEnumerable<string> All(string folder, string pattern)
    {
        string start = Path.Combine(Root, folder);
        return !Directory.Exists(start) ? [] : Directory.EnumerateFiles(start, pattern, new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
            .Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))
            .Where(path => !path.Split('/').Any(_generated.Contains));
    }

    public static string Read(string relative) => File.ReadAllText(Path.Combine(Root, relative));

    /// <summary>C# without comments and without the contents of simple strings, so that only names of code are left.</summary>
    public static string ReadCode(string relative) => CommentOrString().Replace(Read(relative), " ");

    [GeneratedRegex("""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'""", RegexOptions.Singleline)]
    private static partial Regex CommentOrString();

    internal sealed class Project(string path)
    {
        private readonly XDocument _xml = XDocument.Parse(Read(path));

        /// <summary>Relative to the root, with forward slashes.</summary>
        public string Path { get; } = path;

        public string Name { get; } = System.IO.Path.GetFileNameWithoutExtension(path);

        /// <summary>The first folder: src, samples or tests.</summary>
        public string Area { get; } = path.Split('/')[0];

        public IReadOnlyList<string> Packages => [.. Includes("PackageReference").Select(item => item.Include)];

        /// <summary>Names of the projects referenced, with whether the reference depends on a build property.</summary>
        public IReadOnlyList<(string Name, bool IsConditional)> References =>
            [.. Includes("ProjectReference").Select(item => (System.IO.Path.GetFileNameWithoutExtension(item.Include.Replace('\\', '/')), item.IsConditional))];

        public override string ToString() => Path;

        private IEnumerable<(string Include, bool IsConditional)> Includes(string element) =>
            from item in _xml.Descendants(element)
            let include = item.Attribute("Include")?.Value
            where include is not null
            select (include, item.AncestorsAndSelf().Any(ancestor => ancestor.Attribute("Condition") is not null));
    }
}
