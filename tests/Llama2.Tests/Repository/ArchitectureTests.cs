using System.Text.RegularExpressions;

namespace Llama2.Tests;

/// <summary>Who may know whom.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly string[] _allowedPackages =
    [
        "Microsoft.Extensions.AI.Abstractions",
        "Microsoft.Extensions.DependencyInjection.Abstractions",
        "Microsoft.Extensions.Diagnostics.HealthChecks.Abstractions",
        "Microsoft.Extensions.Hosting.Abstractions",
        "Microsoft.Extensions.Logging.Abstractions",
        "Microsoft.Extensions.Options",
        "System.Numerics.Tensors",
    ];

    // A project of src sees Llama2 and these; a "?" marks a reference that needs a build property.
    private static readonly Dictionary<string, string[]> _allowedSiblings = new()
    {
        ["Llama2.Cli"] = ["Llama2.Training", "Llama2.Evaluation", "Llama2.TorchSharp?"],
        ["Llama2.Server"] = ["Llama2.TorchSharp?"],
    };

    [Fact]
    public void Engine_References_AreTheAllowedPackagesAndNoProject()
    {
        RepositoryFiles.Project engine = Assert.Single(RepositoryFiles.Projects, project => project.Path == "src/Llama2/Llama2.csproj");

        Assert.Empty(engine.References);
        Assert.Empty(engine.Packages.Except(_allowedPackages));
    }

    [Fact]
    public void Projects_References_GoToTheEngineAndAllowedSiblings()
    {
        var wrong = new List<string>();
        foreach (RepositoryFiles.Project project in RepositoryFiles.Projects)
        {
            foreach ((string name, bool isConditional) in project.References)
            {
                string area = Assert.Single(RepositoryFiles.Projects, other => other.Name == name).Area;
                string[] siblings = _allowedSiblings.GetValueOrDefault(project.Name, []);
                bool isAllowed = (project.Area, area) switch
                {
                    ("src", "src") => name == "Llama2" || siblings.Contains(name) || (isConditional && siblings.Contains(name + "?")),
                    ("samples", "src") or ("tests", "src") => true,
                    ("tests", "tests") => name == "Llama2.Testing",
                    ("tests", "samples") => true,
                    _ => false,
                };
                if (!isAllowed)
                {
                    wrong.Add($"{project} → {name}");
                }
            }
        }

        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("Microsoft.SemanticKernel", "Llama2.SemanticKernel")]
    [InlineData("TorchSharp", "Llama2.TorchSharp")]
    [InlineData("libtorch", "Llama2.TorchSharp")]
    public void Projects_PackagesThatAFeedMayLack_StayInTheirLeaf(string package, string leaf)
    {
        IEnumerable<string> users = RepositoryFiles.Projects
            .Where(project => project.Area == "src" && project.Packages.Any(name => name.StartsWith(package, StringComparison.OrdinalIgnoreCase)))
            .Select(project => project.Name);

        Assert.Empty(users.Except([leaf]));
    }

    [Theory]
    [InlineData("Memory", "Adapters", "Checkpoints", "Cpu", "Chat", "Constraints", "Generation", "Quantization", "Tokenization", "Diagnostics", "DependencyInjection")]
    [InlineData("Checkpoints", "Adapters", "Cpu", "Chat", "Constraints", "Diagnostics", "DependencyInjection")]
    [InlineData("Tokenization", "Adapters", "Cpu", "Chat", "Constraints", "Generation", "Diagnostics", "DependencyInjection")]
    [InlineData("Quantization", "Adapters", "Cpu", "Chat", "Constraints", "Generation", "Diagnostics", "DependencyInjection")]
    [InlineData("Adapters", "Cpu", "Chat", "Constraints", "Diagnostics", "DependencyInjection")]
    [InlineData("Cpu", "Chat", "Constraints", "Generation", "Diagnostics", "DependencyInjection")]
    [InlineData("Cpu/Kernels", "Cpu/Matrices", "Chat", "Constraints", "Generation", "Diagnostics", "DependencyInjection")]
    [InlineData("Generation", "Cpu", "Chat", "Checkpoints", "DependencyInjection")]
    [InlineData("Constraints", "Cpu", "Chat", "Checkpoints", "DependencyInjection")]
    [InlineData("Chat", "Cpu", "Checkpoints", "DependencyInjection")]
    [InlineData("Diagnostics", "Cpu", "Chat", "Checkpoints", "DependencyInjection")]
    public void Folder_TypesItNames_AreNotThoseAbove(string folder, params string[] forbidden)
    {
        Dictionary<string, string> owners = forbidden.SelectMany(Types).ToDictionary(type => type.Name, type => type.File);

        IEnumerable<string> wrong =
            from file in Sources(folder)
            from name in Word().Matches(RepositoryFiles.ReadCode(file)).Select(match => match.Value).Distinct()
            where owners.ContainsKey(name)
            select $"{file} names {name} of {owners[name]}";

        Assert.Empty(wrong);
    }

    [Fact]
    public void Types_KnownOnes_AreFoundByTheScan()
    {
        Assert.Contains(Types("Chat"), type => type.Name == nameof(LlamaChatClient));
        Assert.Contains(Types("Chat"), type => type.Name == nameof(IChatTemplate));
        Assert.Contains(Types("Generation"), type => type.Name == nameof(GenerationOptions));
        Assert.Contains(Types("Generation"), type => type.Name == nameof(GenerationTimings));
        Assert.Contains(Types("Generation"), type => type.Name == nameof(ContextOverflow));
        Assert.Contains(Types("DependencyInjection"), type => type.Name == nameof(LlamaModelLoader));
    }

    [Fact]
    public void Sources_Namespaces_AreTheProjects()
    {
        IEnumerable<string> wrong =
            from file in RepositoryFiles.All("src", "*.cs").Concat(RepositoryFiles.All("tests", "*Tests.cs"))
            where file.Contains("/Llama2", StringComparison.Ordinal)
            let found = Namespace().Match(RepositoryFiles.Read(file)).Groups[1].Value
            let project = file.Split('/')[1]
            let extended = project == "Llama2.SemanticKernel" ? "Microsoft.SemanticKernel" : "Microsoft.Extensions.DependencyInjection"
            let isBesideWhatItExtends = file.EndsWith("Extensions.cs", StringComparison.Ordinal) && found == extended
            where found != project && !isBesideWhatItExtends && !file.EndsWith("/Program.cs", StringComparison.Ordinal)
            select $"{file}: {found}";

        Assert.Empty(wrong);
    }

    private static IEnumerable<string> Sources(string folder) => RepositoryFiles.All($"src/Llama2/{folder}", "*.cs");

    private static IEnumerable<(string Name, string File)> Types(string folder) =>
        Sources(folder)
            .SelectMany(file => Declaration().Matches(RepositoryFiles.ReadCode(file)).Select(match => (match.Groups[1].Value, file)))
            .DistinctBy(type => type.Value);

    /// <summary>Types at the left margin: the namespaces are file-scoped, so that nested ones are indented.</summary>
    [GeneratedRegex(@"^(?:(?:public|internal|file|sealed|static|abstract|readonly|ref|partial|unsafe) )*(?:class|struct|record struct|record|interface|enum|delegate \S+) (\w+)", RegexOptions.Multiline)]
    private static partial Regex Declaration();

    [GeneratedRegex(@"\b[A-Z]\w+\b")]
    private static partial Regex Word();

    [GeneratedRegex(@"^namespace ([\w.]+)", RegexOptions.Multiline)]
    private static partial Regex Namespace();
}
