using System.Globalization;

namespace Llama2;

/// <summary>GGUF's names of the tensors of architecture <c>llama</c>, and its numbers of the weight formats.</summary>
internal static class GgufNames
{
    public const string RotaryFrequencies = "rope_freqs.weight";

    /// <summary>Hugging Face's middle part of a layer tensor's name, and GGUF's.</summary>
    private static readonly (string HuggingFace, string Gguf)[] _layerTensors =
    [
        ("input_layernorm", "attn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("post_attention_layernorm", "ffn_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];

    /// <summary>The GGUF name of a tensor of <see cref="TensorNames"/>.</summary>
    public static string ToGguf(string huggingFaceName)
    {
        switch (huggingFaceName)
        {
            case TensorNames.Embedding: return "token_embd.weight";
            case TensorNames.OutputNorm: return "output_norm.weight";
            case TensorNames.Head: return "output.weight";
        }

        string[] parts = huggingFaceName.Split('.', 4);                                    // model . layers . 7 . self_attn.q_proj.weight
        string middle = parts[3][..parts[3].LastIndexOf('.')];
        return string.Create(CultureInfo.InvariantCulture, $"blk.{parts[2]}.{_layerTensors.First(pair => pair.HuggingFace == middle).Gguf}.weight");
    }

    /// <summary>Whether a tensor holds query or key rows, which GGUF keeps in Meta's rotary order.</summary>
    public static bool IsRotary(string ggufName) =>
        ggufName.EndsWith(".attn_q.weight", StringComparison.Ordinal) || ggufName.EndsWith(".attn_k.weight", StringComparison.Ordinal);

    /// <summary>Whether a tensor is the vector of a norm.</summary>
    public static bool IsNorm(string ggufName) => ggufName.EndsWith("_norm.weight", StringComparison.Ordinal);

    /// <summary>Whether a tensor is one that early converters wrote and nobody reads: rotary tables computed from the base.</summary>
    public static bool IsObsolete(string ggufName) => ggufName.EndsWith(".attn_rot_embd.weight", StringComparison.Ordinal);

    /// <summary>GGUF's number of a format (<c>ggml_type</c>).</summary>
    public static uint ToNumber(WeightFormat format) => format switch
    {
        WeightFormat.F32 => 0,
        WeightFormat.F16 => 1,
        WeightFormat.Q4_0 => 2,
        WeightFormat.Q8_0 => 8,
        WeightFormat.Q4_K => 12,
        WeightFormat.Q5_K => 13,
        WeightFormat.Q6_K => 14,
        WeightFormat.BF16 => 30,
        _ => throw new ArgumentOutOfRangeException(nameof(format), format, null),
    };

    /// <summary>The format of a number, or null for one that we do not read.</summary>
    public static WeightFormat? ToFormat(uint number) => number switch
    {
        0 => WeightFormat.F32,
        1 => WeightFormat.F16,
        2 => WeightFormat.Q4_0,
        8 => WeightFormat.Q8_0,
        12 => WeightFormat.Q4_K,
        13 => WeightFormat.Q5_K,
        14 => WeightFormat.Q6_K,
        30 => WeightFormat.BF16,
        _ => null,
    };

    /// <summary>What people call a number that we do not read.</summary>
    public static string Describe(uint number) => number switch
    {
        3 => "Q4_1",
        6 => "Q5_0",
        7 => "Q5_1",
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        _ => string.Create(CultureInfo.InvariantCulture, $"tensor type {number}"),
    };

    /// <summary>GGUF's number of a file whose matrices have a format (<c>general.file_type</c>).</summary>
    public static uint FileType(WeightFormat format) => format switch
    {
        WeightFormat.F32 => 0,
        WeightFormat.F16 => 1,
        WeightFormat.Q4_0 => 2,
        WeightFormat.Q8_0 => 7,
        _ => 32,                                                                           // BF16
    };
}
