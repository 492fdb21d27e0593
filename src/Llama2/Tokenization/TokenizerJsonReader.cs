using System.Globalization;
using System.Text.Json;

namespace Llama2;

/// <summary>Reads Hugging Face's <c>tokenizer.json</c> of a Llama tokenizer: a BPE model over sentencepiece's pieces.</summary>
/// <remarks>
/// The format ranks merges, sentencepiece scores pieces. Converted Llama vocabularies list every way to merge a piece, best score first, so
/// the rank of a piece's first merge stands for its score. A piece that no merge makes is marked unused: it has an id and never comes from text.
/// </remarks>
internal sealed class TokenizerJsonReader
{
    private readonly string _file;
    private readonly JsonFields _root;
    private readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    private VocabularyEntry[] _vocabulary = [];

    private TokenizerJsonReader(string file, JsonFields root) => (_file, _root) = (file, root);

    /// <exception cref="CheckpointException">The file is damaged, or a tokenizer that works otherwise.</exception>
    public static LlamaTokenizer Read(string file, ReadOnlyMemory<byte> bytes, SpecialTokens special)
    {
        using JsonDocument document = TokenizerFile.ParseObject(file, bytes);
        return new TokenizerJsonReader(file, new JsonFields(file, "", document.RootElement)).Read(special);
    }

    private LlamaTokenizer Read(SpecialTokens special)
    {
        JsonFields model = _root["model"];
        CheckModel(model);
        bool addDummyPrefix = ReadNormalizer();
        ReadVocabulary(model);
        ReadMerges(model["merges"]);
        ReadKinds(model);
        int begin = special.BeginOfTextId(_ids, FindDefault("<s>"));
        int end = special.EndOfTextId(_ids, FindDefault("</s>"));
        int unknown = FindDefault(model["unk_token"].IsMissing ? "<unk>" : model["unk_token"].Text());
        SetKind(begin, TokenKind.Control);
        SetKind(end, TokenKind.Control);
        SetKind(unknown, TokenKind.Unknown);
        return new(_vocabulary, begin, end, unknown, addDummyPrefix, _file);
    }

    private static void CheckModel(JsonFields model)
    {
        JsonFields type = model["type"];
        type.Require(type.IsMissing || type.Text() == "BPE", "\"BPE\"");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            model[affix].Require(model[affix].IsMissing || model[affix].Text().Length == 0, "nothing");
        }

        model["dropout"].Require(model["dropout"].IsMissing, "null: encoding does not depend on chance");
        model["ignore_merges"].Require(!model["ignore_merges"].Boolean(missing: false), "false");
        model["fuse_unk"].Require(model["fuse_unk"].Boolean(missing: false) || model["byte_fallback"].Boolean(missing: false), "true without byte_fallback");
    }

    /// <summary>Checks that spaces become <c>▁</c> and nothing else changes.</summary>
    /// <returns>Whether one is put in front.</returns>
    private bool ReadNormalizer()
    {
        bool isEscaped = false;
        bool isPrefixed = false;
        foreach (JsonFields step in Steps("normalizer", "normalizers"))
        {
            switch (step["type"].Text())
            {
                case "Prepend":
                    step["prepend"].Require(step["prepend"].Text() == "▁", "\"▁\"");
                    isPrefixed = true;
                    break;
                case "Replace":
                    step["pattern"]["String"].Require(step["pattern"]["String"].Text() == " ", "\" \"");
                    step["content"].Require(step["content"].Text() == "▁", "\"▁\"");
                    isEscaped = true;
                    break;
                default:
                    step["type"].Require(false, "Prepend or Replace");
                    break;
            }
        }

        foreach (JsonFields step in Steps("pre_tokenizer", "pretokenizers"))
        {
            step["type"].Require(step["type"].Text() == "Metaspace", "Metaspace");
            step["replacement"].Require(step["replacement"].Text() == "▁", "\"▁\"");
            step["split"].Require(!step["split"].Boolean(missing: true), "false: merges reach across words");
            JsonFields scheme = step["prepend_scheme"];
            isPrefixed = scheme.IsMissing ? step["add_prefix_space"].Boolean(missing: true) : scheme.Text() switch
            {
                "first" or "always" => true,
                "never" => false,
                _ => throw scheme.Error($"'{scheme.Text()}'", "first, always or never"),
            };
            isEscaped = true;
        }

        _root["normalizer"].Require(isEscaped, "a normalizer or pre_tokenizer that turns spaces into ▁");
        return isPrefixed;
    }

    /// <summary>The steps of a field that is missing, one step, or a sequence of steps.</summary>
    private IEnumerable<JsonFields> Steps(string field, string listName)
    {
        JsonFields step = _root[field];
        return step.IsMissing ? [] : step["type"].Text() == "Sequence" ? step[listName].Items() : [step];
    }

    private void ReadVocabulary(JsonFields model)
    {
        var entries = new Dictionary<int, (string Piece, JsonFields Source)>();
        foreach ((string piece, JsonFields id) in model["vocab"].Properties())
        {
            Add(piece, id);
        }

        foreach (JsonFields token in _root["added_tokens"].Items())
        {
            string content = token["content"].Text();
            if (!_ids.TryGetValue(content, out int id))
            {
                Add(content, token["id"]);
            }
            else
            {
                token["id"].Require(token["id"].Int32() == id, $"{id}, the id of '{content}' in the vocabulary");
            }
        }

        _vocabulary = new VocabularyEntry[entries.Count];
        foreach ((int id, (string piece, JsonFields source)) in entries)
        {
            source.Require((uint)id < (uint)_vocabulary.Length, $"an id from 0 to {_vocabulary.Length - 1}");
            _vocabulary[id] = new(piece, 0, TokenKind.Unused);                   // until a merge or its form says more
        }

        void Add(string piece, JsonFields id)
        {
            id.Require(_ids.TryAdd(piece, id.Int32()), $"'{piece}' once");
            id.Require(entries.TryAdd(id.Int32(), (piece, id)), "an id of its own");
        }
    }

    private void ReadMerges(JsonFields merges)
    {
        merges.Require(merges.Kind == JsonValueKind.Array, "an array");
        int rank = 0;
        foreach (JsonFields merge in merges.Items())
        {
            string[] parts = merge.Kind == JsonValueKind.Array ? [.. merge.Items().Select(part => part.Text())] : merge.Text().Split(' ');
            merge.Require(parts.Length == 2 && _ids.ContainsKey(parts[0]) && _ids.ContainsKey(parts[1]), "two pieces of the vocabulary");
            merge.Require(_ids.TryGetValue(parts[0] + parts[1], out int id), "two pieces that make a third");
            if (_vocabulary[id].Kind == TokenKind.Unused)
            {
                _vocabulary[id] = new(_vocabulary[id].Piece, -rank, TokenKind.Normal);
            }

            rank++;
        }

        for (int id = 0; id < _vocabulary.Length; id++)
        {
            (string piece, _, TokenKind kind) = _vocabulary[id];
            if (kind == TokenKind.Unused)
            {
                bool isCharacter = piece.Length == 1 || (piece.Length == 2 && char.IsSurrogatePair(piece[0], piece[1]));
                _vocabulary[id] = new(piece, -rank, isCharacter ? TokenKind.Normal : TokenKind.Unused);
            }
        }
    }

    private void ReadKinds(JsonFields model)
    {
        if (model["byte_fallback"].Boolean(missing: false))
        {
            for (int value = 0; value < 256; value++)
            {
                string piece = string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");
                model["byte_fallback"].Require(_ids.TryGetValue(piece, out int id), $"a piece {piece}");
                SetKind(id, TokenKind.Byte);
            }
        }

        foreach (JsonFields token in _root["added_tokens"].Items())
        {
            bool isSpecial = token["special"].Boolean(missing: false);
            foreach (string flag in isSpecial ? (string[])[] : ["single_word", "lstrip", "rstrip"])
            {
                token[flag].Require(!token[flag].Boolean(missing: false), "false");
            }

            SetKind(_ids[token["content"].Text()], isSpecial ? TokenKind.Control : TokenKind.UserDefined);
        }
    }

    private void SetKind(int id, TokenKind kind) => _vocabulary[id] = _vocabulary[id] with { Kind = kind, Score = 0 };

    private int FindDefault(string piece) =>
        _ids.TryGetValue(piece, out int id) ? id : throw new CheckpointException(_file, "model.vocab", $"no '{piece}'", "the special tokens");
}
