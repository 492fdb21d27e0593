namespace Llama2.Tests;

/// <summary>Seeded vocabularies small enough that merges collide all the time, and a slow encoder to compare with.</summary>
internal static class TinyVocabularies
{
    private static readonly string[] _letters = ["▁", "a", "b", "c", "é", "字", "🙂"];

    /// <summary>Three special tokens, perhaps the bytes, letters and random runs of them with few different scores, so that ties abound.</summary>
    public static LlamaTokenizer Create(
        int seed, bool bytes = true, bool userDefined = false, bool unused = false, bool missingLetters = false, bool addDummyPrefix = true)
    {
        var random = new Random(seed);
        var entries = new List<VocabularyEntry>
        {
            new("<unk>", 0, TokenKind.Unknown),
            new("<s>", 0, TokenKind.Control),
            new("</s>", 0, TokenKind.Control),
        };
        if (bytes)
        {
            entries.AddRange(Enumerable.Range(0, 256).Select(value => new VocabularyEntry($"<0x{value:X2}>", 0, TokenKind.Byte)));
        }

        var pieces = new HashSet<string>(_letters.Skip(missingLetters ? random.Next(3) : 0));
        while (pieces.Count < 60)
        {
            pieces.Add(string.Concat(Enumerable.Range(0, random.Next(2, 6)).Select(_ => _letters[random.Next(_letters.Length)])));
        }

        entries.AddRange(pieces.Select(piece => new VocabularyEntry(piece, -random.Next(12), KindOf(piece))));
        return new LlamaTokenizer(entries, 1, 2, 0, addDummyPrefix);

        TokenKind KindOf(string piece) =>
            piece.Length == 1 ? TokenKind.Normal :
            userDefined && random.Next(6) == 0 ? TokenKind.UserDefined :
            unused && random.Next(4) == 0 ? TokenKind.Unused : TokenKind.Normal;
    }

    /// <summary>A text of the letters, spaces, and now and then something that no piece holds.</summary>
    public static string Text(Random random, int length) => string.Concat(Enumerable.Range(0, length).Select(_ => random.Next(12) switch
    {
        < 7 and int letter => _letters[letter],
        7 or 8 => " ",
        9 => "a",
        10 => "z",
        _ => "\n",
    }));

    /// <summary>sentencepiece's algorithm without a heap: look at every pair, merge the best, begin again.</summary>
    public static int[] EncodeSlowly(LlamaTokenizer tokenizer, string text)
    {
        if (text.Length == 0)
        {
            return [];
        }

        var pieces = new Dictionary<string, int>();
        for (int id = 0; id < tokenizer.VocabularySize; id++)
        {
            if (tokenizer.Vocabulary[id].Kind is TokenKind.Normal or TokenKind.UserDefined or TokenKind.Unused)
            {
                pieces.Add(tokenizer.Vocabulary[id].Piece, id);
            }
        }

        string[] userDefined =
        [
            .. tokenizer.Vocabulary.Where(entry => entry.Kind == TokenKind.UserDefined).Select(entry => entry.Piece).OrderBy(piece => -piece.Length),
        ];
        var splits = new Dictionary<string, (string Left, string Right)>();
        var symbols = new List<(string Text, bool Frozen)>();
        for (string rest = ((tokenizer.AddDummyPrefix ? " " : "") + text).Replace(' ', '▁'); rest.Length > 0; rest = rest[symbols[^1].Text.Length..])
        {
            string? frozen = userDefined.FirstOrDefault(piece => rest.StartsWith(piece, StringComparison.Ordinal));
            symbols.Add(frozen is null ? (rest[..(char.IsHighSurrogate(rest[0]) ? 2 : 1)], false) : (frozen, true));
        }

        for (int left = 0; left + 1 < symbols.Count; left++)
        {
            Note(left);
        }

        while (true)
        {
            int best = -1;
            float bestScore = float.NegativeInfinity;
            for (int left = 0; left + 1 < symbols.Count; left++)
            {
                string pair = symbols[left].Text + symbols[left + 1].Text;
                if (!symbols[left].Frozen && !symbols[left + 1].Frozen && pieces.TryGetValue(pair, out int id) && tokenizer.Vocabulary[id].Score > bestScore)
                {
                    (best, bestScore) = (left, tokenizer.Vocabulary[id].Score);
                }
            }

            if (best < 0)
            {
                break;
            }

            symbols[best] = (symbols[best].Text + symbols[best + 1].Text, false);
            symbols.RemoveAt(best + 1);
            Note(best - 1);
            Note(best);
        }

        var ids = new List<int>();
        symbols.ForEach(symbol => Write(symbol.Text, symbol.Frozen));
        return [.. ids];

        // An unused piece falls apart the way that it was last offered.
        void Note(int left)
        {
            if (left >= 0 && left + 1 < symbols.Count && !symbols[left].Frozen && !symbols[left + 1].Frozen)
            {
                splits[symbols[left].Text + symbols[left + 1].Text] = (symbols[left].Text, symbols[left + 1].Text);
            }
        }

        void Write(string symbol, bool frozen)
        {
            if (!pieces.TryGetValue(symbol, out int id))
            {
                WriteUnknown(symbol);
            }
            else if (!frozen && tokenizer.Vocabulary[id].Kind == TokenKind.Unused && splits.TryGetValue(symbol, out (string Left, string Right) parts))
            {
                Write(parts.Left, false);
                Write(parts.Right, false);
            }
            else
            {
                ids.Add(id);
            }
        }

        void WriteUnknown(string symbol)
        {
            if (tokenizer.Vocabulary.Any(entry => entry.Kind == TokenKind.Byte))
            {
                ids.AddRange(System.Text.Encoding.UTF8.GetBytes(symbol).Select(value => 3 + value));
            }
            else if (ids.LastOrDefault(-1) != tokenizer.UnknownId)
            {
                ids.Add(tokenizer.UnknownId);
            }
        }
    }
}
