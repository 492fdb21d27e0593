using System.Globalization;

namespace Llama2;

/// <summary>Reads sentencepiece's <c>tokenizer.model</c>: a protobuf ModelProto.</summary>
internal sealed class SentencePieceModelReader
{
    private const int BytePairEncoding = 2;

    private readonly string _file;
    private readonly List<VocabularyEntry> _vocabulary = [];
    private int _modelType = 1;                            // these are the format's own defaults
    private int _unknownId;
    private int _beginOfTextId = 1;
    private int _endOfTextId = 2;
    private bool _byteFallback;
    private bool _addDummyPrefix = true;
    private bool _removeExtraWhitespaces = true;
    private string _unknownText = LlamaTokenizer.DefaultUnknownText;

    private SentencePieceModelReader(string file) => _file = file;

    /// <exception cref="CheckpointException">The bytes are damaged, or a model that works otherwise than a Llama tokenizer.</exception>
    public static LlamaTokenizer Read(string file, ReadOnlySpan<byte> bytes)
    {
        var reader = new SentencePieceModelReader(file);
        reader.ReadModel(bytes);
        return reader.Build();
    }

    private LlamaTokenizer Build()
    {
        Require(_modelType == BytePairEncoding, "trainer_spec.model_type", NameOfModelType(_modelType), "2 (BPE)");
        Require(!_removeExtraWhitespaces, "normalizer_spec.remove_extra_whitespaces", "true", "false");
        Require(_vocabulary.Any(entry => entry.Kind == TokenKind.Byte) == _byteFallback, "trainer_spec.byte_fallback", _byteFallback ? "true" : "false",
            _byteFallback ? "256 byte pieces" : "true, as there are byte pieces");
        var tokenizer = new LlamaTokenizer(_vocabulary, _beginOfTextId, _endOfTextId, _unknownId, _addDummyPrefix, _file) { UnknownText = _unknownText };
        RequireKind(_beginOfTextId, "trainer_spec.bos_id", TokenKind.Control);
        RequireKind(_endOfTextId, "trainer_spec.eos_id", TokenKind.Control);
        RequireKind(_unknownId, "trainer_spec.unk_id", TokenKind.Unknown);
        return tokenizer;
    }

    private void ReadModel(ReadOnlySpan<byte> bytes)
    {
        var model = new ProtobufReader(_file, "model", bytes);
        while (model.Next())
        {
            switch (model.Field)
            {
                case 1:
                    Require(_vocabulary.Count < LlamaTokenizer.MaximumVocabularySize, "pieces", "more", $"at most {LlamaTokenizer.MaximumVocabularySize}");
                    _vocabulary.Add(ReadPiece(model.ReadBytes()));
                    break;
                case 2:
                    ReadTrainer(model.ReadBytes());
                    break;
                case 3:
                    ReadNormalizer(model.ReadBytes());
                    break;
                case 5:
                    ReadDenormalizer(model.ReadBytes());
                    break;
                default:
                    model.Skip();
                    break;
            }
        }
    }

    private VocabularyEntry ReadPiece(ReadOnlySpan<byte> bytes)
    {
        string name = string.Create(CultureInfo.InvariantCulture, $"piece {_vocabulary.Count}");
        var reader = new ProtobufReader(_file, name, bytes);
        string piece = "";
        float score = 0;
        var kind = TokenKind.Normal;
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    piece = reader.ReadString();
                    break;
                case 2:
                    score = reader.ReadSingle();
                    break;
                case 3:
                    kind = (TokenKind)reader.ReadInt32();
                    Require(kind is >= TokenKind.Normal and <= TokenKind.Byte, $"{name}.type", $"{(int)kind}", "1 to 6");
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        return new(piece, score, kind);
    }

    private void ReadTrainer(ReadOnlySpan<byte> bytes)
    {
        var reader = new ProtobufReader(_file, "trainer_spec", bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 3:
                    _modelType = reader.ReadInt32();
                    break;
                case 24:
                    Require(!reader.ReadBoolean(), "trainer_spec.treat_whitespace_as_suffix", "true", "false");
                    break;
                case 35:
                    _byteFallback = reader.ReadBoolean();
                    break;
                case 40:
                    _unknownId = reader.ReadInt32();
                    break;
                case 41:
                    _beginOfTextId = reader.ReadInt32();
                    break;
                case 42:
                    _endOfTextId = reader.ReadInt32();
                    break;
                case 44:
                    _unknownText = reader.ReadString();
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> bytes)
    {
        const string Name = "normalizer_spec";
        var reader = new ProtobufReader(_file, Name, bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 2:
                    RequireIdentity(Name, reader.ReadBytes());
                    break;
                case 3:
                    _addDummyPrefix = reader.ReadBoolean();
                    break;
                case 4:
                    _removeExtraWhitespaces = reader.ReadBoolean();
                    break;
                case 5:
                    Require(reader.ReadBoolean(), $"{Name}.escape_whitespaces", "false", "true");
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }

    private void ReadDenormalizer(ReadOnlySpan<byte> bytes)
    {
        const string Name = "denormalizer_spec";
        var reader = new ProtobufReader(_file, Name, bytes);
        while (reader.Next())
        {
            if (reader.Field == 2)
            {
                RequireIdentity(Name, reader.ReadBytes());
            }
            else
            {
                reader.Skip();
            }
        }
    }

    private void RequireIdentity(string name, ReadOnlySpan<byte> charactersMap) =>
        Require(charactersMap.IsEmpty, $"{name}.precompiled_charsmap", $"{charactersMap.Length} bytes", "none, which is the identity normalizer");

    private void RequireKind(int id, string field, TokenKind kind) =>
        Require(_vocabulary[id].Kind == kind, field, $"{id}, a {_vocabulary[id].Kind} piece", $"a {kind} piece");

    private void Require(bool holds, string field, string found, string expected)
    {
        if (!holds)
        {
            throw new CheckpointException(_file, field, found, expected);
        }
    }

    private static string NameOfModelType(int type) => type switch
    {
        1 => "1 (unigram)",
        3 => "3 (word)",
        4 => "4 (char)",
        _ => type.ToString(CultureInfo.InvariantCulture),
    };
}
