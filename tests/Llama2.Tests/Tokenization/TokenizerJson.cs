using System.Text;
using System.Text.Json.Nodes;

namespace Llama2.Tests;

/// <summary>Writes a vocabulary the way Hugging Face's converter does: every split of every piece is a merge, best score and longest left part first.</summary>
internal static class TokenizerJson
{
    public static byte[] Write(LlamaTokenizer tokenizer, bool arrayMerges) => Encoding.UTF8.GetBytes(Make(tokenizer, arrayMerges).ToJsonString());

    public static JsonObject Make(LlamaTokenizer tokenizer, bool arrayMerges = false)
    {
        var normal = new HashSet<string>(tokenizer.Vocabulary.Where(entry => entry.Kind == TokenKind.Normal).Select(entry => entry.Piece));
        var merges =
            from entry in tokenizer.Vocabulary
            where entry.Kind == TokenKind.Normal
            from split in Enumerable.Range(1, entry.Piece.Length - 1)
            let left = entry.Piece[..split]
            let right = entry.Piece[split..]
            where normal.Contains(left) && normal.Contains(right)
            orderby entry.Score descending, left.Length descending, right.Length descending
            select arrayMerges ? (JsonNode)new JsonArray(left, right) : JsonValue.Create($"{left} {right}");
        var vocabulary = new JsonObject();
        var added = new JsonArray();
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            (string piece, _, TokenKind kind) = tokenizer.Vocabulary[id];
            if (kind != TokenKind.UserDefined)
            {
                vocabulary.Add(piece, id);
            }

            if (kind is TokenKind.Control or TokenKind.Unknown or TokenKind.UserDefined)
            {
                added.Add(new JsonObject { ["id"] = id, ["content"] = piece, ["special"] = kind != TokenKind.UserDefined, ["normalized"] = false });
            }
        }

        var prepend = new JsonObject { ["type"] = "Prepend", ["prepend"] = "▁" };
        var replace = new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = " " }, ["content"] = "▁" };
        return new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = added,
            ["normalizer"] = new JsonObject
            {
                ["type"] = "Sequence",
                ["normalizers"] = tokenizer.AddDummyPrefix ? new JsonArray(prepend, replace) : new JsonArray(replace),
            },
            ["pre_tokenizer"] = null,
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = tokenizer.GetPiece(tokenizer.UnknownId),
                ["continuing_subword_prefix"] = null,
                ["end_of_word_suffix"] = null,
                ["fuse_unk"] = true,
                ["byte_fallback"] = tokenizer.Vocabulary.Any(entry => entry.Kind == TokenKind.Byte),
                ["vocab"] = vocabulary,
                ["merges"] = new JsonArray([.. merges]),
            },
        };
    }
}
