using System.Globalization;

namespace Llama2;

/// <summary>What <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> say beside a vocabulary.</summary>
internal sealed class SpecialTokens
{
    private const string ConfigName = "tokenizer_config.json";
    private const string MapName = "special_tokens_map.json";
    private const string AddedName = "added_tokens.json";

    private readonly SortedDictionary<int, (string Content, TokenKind Kind, JsonFields Source)> _added = [];
    private JsonFields _beginOfText;
    private JsonFields _endOfText;

    /// <summary>Says nothing.</summary>
    public static SpecialTokens None { get; } = new();

    /// <summary>Reads what a folder has of the three files.</summary>
    public static SpecialTokens Read(string folder)
    {
        var tokens = new SpecialTokens();
        JsonFields? map = ReadFile(folder, MapName);
        JsonFields? config = ReadFile(folder, ConfigName);
        foreach (JsonFields file in new[] { map, config }.OfType<JsonFields>())               // the later file wins
        {
            tokens._beginOfText = file["bos_token"].IsMissing ? tokens._beginOfText : file["bos_token"];
            tokens._endOfText = file["eos_token"].IsMissing ? tokens._endOfText : file["eos_token"];
        }

        if (ReadFile(folder, AddedName) is JsonFields added)
        {
            HashSet<string> special = map is JsonFields names ? Contents(names).ToHashSet(StringComparer.Ordinal) : [];
            foreach ((string content, JsonFields id) in added.Properties())
            {
                tokens._added[id.Int32()] = (content, special.Contains(content) ? TokenKind.Control : TokenKind.UserDefined, id);
            }
        }

        foreach ((string key, JsonFields token) in config?["added_tokens_decoder"].Properties() ?? [])
        {
            token.Require(int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id), "an id as the name");
            tokens._added[id] = (token["content"].Text(), token["special"].Boolean(missing: false) ? TokenKind.Control : TokenKind.UserDefined, token);
        }

        return tokens;
    }

    /// <summary>The id of the token that begins a sequence; the default where no file names one.</summary>
    public int BeginOfTextId(IReadOnlyDictionary<string, int> ids, int missing) => Find(_beginOfText, ids, missing);

    /// <summary>The id of the token that ends a sequence; the default where no file names one.</summary>
    public int EndOfTextId(IReadOnlyDictionary<string, int> ids, int missing) => Find(_endOfText, ids, missing);

    /// <summary>Adds the tokens that the vocabulary lacks and takes over the named begin and end.</summary>
    /// <exception cref="CheckpointException">The files contradict the vocabulary.</exception>
    public LlamaTokenizer ApplyTo(LlamaTokenizer tokenizer, string file)
    {
        var vocabulary = new List<VocabularyEntry>(tokenizer.Vocabulary);
        foreach ((int id, (string content, TokenKind kind, JsonFields source)) in _added)     // by id
        {
            source.Require(id >= 0 && id <= vocabulary.Count, $"the next id, {vocabulary.Count}, or an earlier one");
            if (id == vocabulary.Count)
            {
                vocabulary.Add(new(content, 0, kind));
            }

            source.Require(vocabulary[id].Piece == content, $"piece {id} of the vocabulary, '{vocabulary[id].Piece}'");
        }

        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < vocabulary.Count; id++)
        {
            ids.TryAdd(vocabulary[id].Piece, id);
        }

        int begin = BeginOfTextId(ids, tokenizer.BeginOfTextId);
        int end = EndOfTextId(ids, tokenizer.EndOfTextId);
        vocabulary[begin] = vocabulary[begin] with { Kind = TokenKind.Control };               // never comes from text, whatever it was
        vocabulary[end] = vocabulary[end] with { Kind = TokenKind.Control };
        bool isSame = vocabulary.Count == tokenizer.VocabularySize && begin == tokenizer.BeginOfTextId && end == tokenizer.EndOfTextId;
        return isSame ? tokenizer : new(vocabulary, begin, end, tokenizer.UnknownId, tokenizer.AddDummyPrefix, file) { UnknownText = tokenizer.UnknownText };
    }

    private static int Find(JsonFields name, IReadOnlyDictionary<string, int> ids, int missing)
    {
        if (name.TokenContent() is not string content)
        {
            return missing;
        }

        name.Require(ids.TryGetValue(content, out int id), "a piece of the vocabulary");
        return id;
    }

    /// <summary>The tokens of a map: each value is a text, an object with a <c>content</c>, or a list of those.</summary>
    private static IEnumerable<string> Contents(JsonFields map) => map.Properties()
        .SelectMany(property => property.Value.Kind == System.Text.Json.JsonValueKind.Array ? property.Value.Items() : [property.Value])
        .Select(token => token.TokenContent())
        .OfType<string>();

    private static JsonFields? ReadFile(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (!File.Exists(path))
        {
            return null;
        }

        using var document = TokenizerFile.ParseObject(path, TokenizerFile.ReadAllBytes(path));
        return new JsonFields(path, "", document.RootElement.Clone());
    }
}
