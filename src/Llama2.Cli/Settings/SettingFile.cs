using System.Text;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Llama2.Cli;

/// <summary>A file of settings, YAML or JSON: one mapping from names to values or lists of values, all kept as the texts that stand there.</summary>
internal sealed class SettingFile
{
    private const long MaxBytes = 1 << 20;
    private readonly Dictionary<string, IReadOnlyList<string>> _values = [];

    private SettingFile(string path) => Path = path;

    public string Path { get; }

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Values => _values;

    /// <param name="path">The file; <c>.json</c> is JSON, every other name YAML.</param>
    /// <param name="known">The names that it may hold.</param>
    /// <exception cref="UsageException">It is no such file, or has a name that nobody knows.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SettingFile Read(string path, IReadOnlyCollection<string> known)
    {
        if (new FileInfo(path).Length > MaxBytes)
        {
            throw new UsageException($"{path}: {new FileInfo(path).Length:N0} bytes are no file of settings.");
        }

        var file = new SettingFile(path);
        byte[] bytes = File.ReadAllBytes(path);
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
        {
            file.ReadJson(bytes);
        }
        else
        {
            file.ReadYaml(bytes);
        }

        foreach (string name in file._values.Keys.Where(name => !known.Contains(name)))
        {
            string hint = NearestName.Find(name, known) is { } near ? $"; '{near}' was probably meant" : "";
            throw new UsageException($"{path}: '{name}' is no setting of this command{hint}.");
        }

        return file;
    }

    private void Add(string name, IReadOnlyList<string> texts)
    {
        if (!_values.TryAdd(name, texts))
        {
            throw new UsageException($"{Path}: '{name}' stands there twice.");
        }
    }

    private void ReadJson(byte[] bytes)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(
                bytes.AsMemory(bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? 3 : 0),
                new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new UsageException($"{Path}: one object of settings is expected.");
            }

            foreach (JsonProperty member in document.RootElement.EnumerateObject())
            {
                if (member.Value.ValueKind != JsonValueKind.Null)
                {
                    Add(member.Name, member.Value.ValueKind == JsonValueKind.Array
                        ? [.. member.Value.EnumerateArray().Select(value => Text(member.Name, value))]
                        : [Text(member.Name, member.Value)]);
                }
            }
        }
        catch (JsonException exception)
        {
            throw new UsageException($"{Path}, line {exception.LineNumber + 1}: this is no valid JSON.");
        }

        string Text(string name, JsonElement value) => value.ValueKind switch
        {
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
            _ => throw NotPlain(name),
        };
    }

    /// <summary>Reads the events of the parser rather than objects, which would need reflection.</summary>
    private void ReadYaml(byte[] bytes)
    {
        try
        {
            using var reader = new StreamReader(new MemoryStream(bytes), new UTF8Encoding(false, throwOnInvalidBytes: true));
            var parser = new Parser(reader);
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _))
            {
                return;                                         // an empty file sets nothing
            }

            if (!parser.TryConsume<MappingStart>(out _))
            {
                throw new UsageException($"{Path}: lines such as 'learning_rate: 2e-5' are expected.");
            }

            while (!parser.TryConsume<MappingEnd>(out _))
            {
                string name = parser.Consume<Scalar>().Value;
                if (parser.TryConsume<SequenceStart>(out _))
                {
                    var texts = new List<string>();
                    while (!parser.TryConsume<SequenceEnd>(out _))
                    {
                        texts.Add(Next(name).Value);
                    }

                    Add(name, texts);
                }
                else if (Next(name) is var scalar && scalar is not { IsPlainImplicit: true, Value: "" or "~" or "null" })
                {
                    Add(name, [scalar.Value]);
                }
            }

            parser.Consume<DocumentEnd>();
            parser.Consume<StreamEnd>();

            Scalar Next(string name) => parser.TryConsume<Scalar>(out var scalar) ? scalar! : throw NotPlain(name);
        }
        catch (YamlException exception)
        {
            throw new UsageException($"{Path}, line {exception.Start.Line}: this is no valid YAML.");
        }
        catch (DecoderFallbackException)
        {
            throw new UsageException($"{Path}: the file is not UTF-8.");
        }
    }

    private UsageException NotPlain(string name) => new($"{Path}: '{name}' holds something nested; a value or a list of values is expected.");
}
