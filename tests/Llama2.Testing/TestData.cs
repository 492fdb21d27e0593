using System.Text.Json;

namespace Llama2.Testing;

/// <summary>The data that is not part of the repository: real tokenizers, checkpoints and reference figures.</summary>
public static class TestData
{
    /// <summary>The folder: the environment variable LLAMA2_TEST_DATA, else <c>../shared/data</c> beside the checkout; null where it is missing.</summary>
    public static string? Root { get; } = Find();

    /// <summary>The root of the checkout.</summary>
    public static string Repository { get; } = FindRepository();

    /// <summary>A file or folder below <see cref="Root"/>.</summary>
    public static string Path(string relative) => System.IO.Path.Combine(Root ?? throw new InvalidOperationException("Mark the test [SharedDataFact]."), relative);

    /// <summary>The rows of a JSONL file below <see cref="Root"/>.</summary>
    public static IEnumerable<JsonElement> Rows(string relative) =>
        File.ReadLines(Path(relative)).Where(line => line.Length > 0).Select(line => JsonDocument.Parse(line).RootElement);

    private static string? Find()
    {
        string? named = Environment.GetEnvironmentVariable("LLAMA2_TEST_DATA");
        string folder = string.IsNullOrEmpty(named) ? System.IO.Path.Combine(FindRepository(), "..", "shared", "data") : named;
        return Directory.Exists(folder) ? System.IO.Path.GetFullPath(folder) : null;
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(System.IO.Path.Combine(folder.FullName, "Llama2.SemanticKernel.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("The tests run from a folder inside the checkout.");
    }
}
