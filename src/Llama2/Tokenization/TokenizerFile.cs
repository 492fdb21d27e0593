using System.Text.Json;

namespace Llama2;

/// <summary>Finds out what a path holds and reads the tokenizer there.</summary>
internal static class TokenizerFile
{
    public const string ModelName = "tokenizer.model";
    public const string JsonName = "tokenizer.json";
    private const int MaximumBytes = 128 << 20;            // the largest Llama tokenizers take a few MB

    /// <summary>Reads a file or a folder.</summary>
    public static LlamaTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            return LoadFolder(path) ?? throw new FileNotFoundException($"The folder '{path}' holds neither {ModelName} nor {JsonName}.", path);
        }

        if (!File.Exists(path))
        {
            throw new FileNotFoundException($"There is no tokenizer at '{path}'.", path);
        }

        if (IsGguf(path))
        {
            using var checkpoint = Checkpoint.Open(path);
            return checkpoint.LoadTokenizer() ?? throw new CheckpointException(path, "tokenizer", "none", "a vocabulary in the metadata");
        }

        byte[] bytes = ReadAllBytes(path);
        if (!path.EndsWith(".json", StringComparison.OrdinalIgnoreCase) && bytes.AsSpan().TrimStart(" \t\r\n"u8) is not [(byte)'{', ..])
        {
            return SentencePieceModelReader.Read(path, bytes);
        }

        return TokenizerJsonReader.Read(path, bytes, SpecialTokens.Read(Path.GetDirectoryName(Path.GetFullPath(path))!));
    }

    /// <summary>Reads a folder's <c>tokenizer.model</c>, else its <c>tokenizer.json</c>.</summary>
    /// <returns>Null where it holds neither.</returns>
    public static LlamaTokenizer? LoadFolder(string folder)
    {
        string model = Path.Combine(folder, ModelName);
        string json = Path.Combine(folder, JsonName);
        if (File.Exists(model))
        {
            return SpecialTokens.Read(folder).ApplyTo(SentencePieceModelReader.Read(model, ReadAllBytes(model)), model);
        }

        return File.Exists(json) ? TokenizerJsonReader.Read(json, ReadAllBytes(json), SpecialTokens.Read(folder)) : null;
    }

    /// <summary>Reads a whole file, unless it is too large to be a tokenizer.</summary>
    public static byte[] ReadAllBytes(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (stream.Length > MaximumBytes)                  // asked of the open file: the length of a link is not that of its target
        {
            throw new CheckpointException(path, "size", $"{stream.Length} bytes", $"at most {MaximumBytes}");
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Reads a JSON object.</summary>
    public static JsonDocument ParseObject(string file, ReadOnlyMemory<byte> utf8)
    {
        try
        {
            if (utf8.Span.StartsWith("\uFEFF"u8))
            {
                utf8 = utf8[3..];
            }

            var document = JsonDocument.Parse(utf8);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
        }
        catch (JsonException exception)
        {
            throw new CheckpointException(file, $"line {exception.LineNumber + 1}", exception.Message, "JSON", exception);
        }

        throw new CheckpointException(file, "root", "another value", "a JSON object");
    }

    private static bool IsGguf(string path)
    {
        if (path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        using FileStream stream = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        return stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length && magic.SequenceEqual("GGUF"u8);
    }
}
