using System.Runtime.InteropServices;
using System.Text;

namespace Llama2;

/// <summary>A model of any shape with seeded random weights and a made-up vocabulary: for tests, benchmarks and trying things out.</summary>
/// <remarks>
/// Nothing is stored: every row is computed from the seed, the tensor's name and the row's number when it is read, so a 7B shape costs
/// no memory until it is loaded or written. The same arguments give the same bits everywhere.
/// </remarks>
public sealed class RandomCheckpoint : Checkpoint
{
    private const int FirstLetterId = 259;                       // after <unk>, <s>, </s> and 256 bytes
    private readonly ulong _seed;
    private readonly Dictionary<string, CheckpointTensor> _tensors;

    /// <summary>Initializes a new instance of the <see cref="RandomCheckpoint"/> class.</summary>
    /// <param name="config">The shape.</param>
    /// <param name="seed">The seed.</param>
    /// <exception cref="CheckpointException">The shape contradicts itself.</exception>
    public RandomCheckpoint(LlamaConfig config, int seed = 0)
    {
        ArgumentNullException.ThrowIfNull(config);
        config.Validate(nameof(RandomCheckpoint));
        Config = config;
        _seed = unchecked((ulong)seed * 0x9E3779B97F4A7C15);
        _tensors = TensorNames.Required(config).ToDictionary(
            tensor => tensor.Name,
            CheckpointTensor (tensor) => new RandomTensor(tensor.Name, tensor.Rows, tensor.Columns, _seed));
    }

    /// <inheritdoc/>
    public override string Path => $"random-{Config.HiddenSize}x{Config.LayerCount}";

    /// <inheritdoc/>
    public override string Layout => "random";

    /// <inheritdoc/>
    public override LlamaConfig Config { get; }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <summary>Makes the vocabulary: the three control tokens, 256 bytes, <c>▁</c>, the letters a to z, and runs of letters up to the size.</summary>
    /// <returns>The tokenizer, or <see langword="null"/> for a vocabulary too small to hold the bytes.</returns>
    public override LlamaTokenizer? LoadTokenizer()
    {
        if (Config.VocabularySize <= FirstLetterId + 1)
        {
            return null;
        }

        var entries = new List<VocabularyEntry>(Config.VocabularySize)
        {
            new("<unk>", 0, TokenKind.Unknown),
            new("<s>", 0, TokenKind.Control),
            new("</s>", 0, TokenKind.Control),
        };
        entries.AddRange(Enumerable.Range(0, 256).Select(value => new VocabularyEntry($"<0x{value:X2}>", 0, TokenKind.Byte)));
        entries.Add(new("▁", 0, TokenKind.Normal));
        for (int number = 0; entries.Count < Config.VocabularySize; number++)
        {
            entries.Add(new(Letters(number), -number, TokenKind.Normal));     // every run is a shorter run and a letter, so merges reach it
        }

        return new LlamaTokenizer(entries, beginOfTextId: 1, endOfTextId: 2, unknownId: 0);
    }

    /// <summary>0 → a, 25 → z, 26 → aa, 27 → ab and so on.</summary>
    private static string Letters(int number)
    {
        var text = new StringBuilder();
        for (int rest = number; rest >= 0; rest = rest / 26 - 1)
        {
            text.Insert(0, (char)('a' + rest % 26));
        }

        return text.ToString();
    }

    private sealed class RandomTensor(string name, int rows, int columns, ulong seed) : CheckpointTensor(name, WeightFormat.F32, rows, columns)
    {
        private readonly ulong _tensorSeed = name.Aggregate(seed, (hash, letter) => Mix(hash ^ letter));

        // Uniform with variance 1 / columns keeps activations near 1; embeddings are read, not summed, so theirs is 1. Norms lie around 1.
        private readonly bool _isNorm = rows == 1;
        private readonly float _amplitude = name == TensorNames.Embedding ? MathF.Sqrt(3) : MathF.Sqrt(3f / columns);

        public override void ReadRow(int row, Span<byte> destination)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(row);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
            ulong state = Mix(_tensorSeed + (ulong)row);
            foreach (ref float weight in MemoryMarshal.Cast<byte, float>(destination[..RowBytes]))
            {
                state += 0x9E3779B97F4A7C15;
                float uniform = (int)(Mix(state) >> 40) * (2f / (1 << 24)) - 1;          // [−1, 1), exact in single precision
                weight = _isNorm ? 1 + uniform / 8 : uniform * _amplitude;
            }
        }

        /// <summary>The finaliser of SplitMix64 (Steele, Lea and Flood 2014).</summary>
        private static ulong Mix(ulong value)
        {
            value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
            value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
            return value ^ (value >> 31);
        }
    }
}
