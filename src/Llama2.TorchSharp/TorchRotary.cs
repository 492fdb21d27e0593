using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>The angles of the rotary embedding as a table on the device, which grows with the positions that are met.</summary>
/// <remarks>The angles are the CPU backend's, computed in double precision. One caller at a time.</remarks>
internal sealed class TorchRotary(LlamaConfig config, ScalarType type, Device device) : IDisposable
{
    private const int LeastPositions = 1024;

    private readonly RotaryEmbedding _rotary = new(config);
    private Tensor? _table;                                              // [positions, 2, headSize]: cosines, then sines, of both halves

    /// <summary>The rows of the tokens of a batch: [tokens, 2, headSize], for <c>x · cosine + swapped x · sine</c>.</summary>
    /// <param name="positions">The positions on the device.</param>
    /// <param name="pieces">First position and count of every piece, in the order of the tokens.</param>
    public Tensor Angles(Tensor positions, IReadOnlyList<(int Position, int Count)> pieces)
    {
        int end = pieces.Max(piece => piece.Position + piece.Count);
        if (config.RopeScaling is { Kind: RopeScalingKind.Dynamic } && end > config.ContextLength)
        {
            using Tensor host = cat([.. pieces.Select(piece => Compute(piece.Position, piece.Count))]);      // angles of this pass alone
            return host.to(type, device);
        }

        if (_table is null || _table.shape[0] < end)
        {
            int length = (int)Math.Max(LeastPositions, System.Numerics.BitOperations.RoundUpToPowerOf2((uint)end));
            length = config.RopeScaling is { Kind: RopeScalingKind.Dynamic } ? Math.Min(length, config.ContextLength) : length;
            using Tensor host = Compute(0, length);
            Tensor table = host.to(type, device, copy: true).DetachFromDisposeScope();
            _table?.Dispose();
            _table = table;
        }

        return _table.index_select(0, positions);
    }

    public void Dispose() => _table?.Dispose();

    private Tensor Compute(int position, int count)
    {
        int half = config.HeadSize / 2;
        float[] cosines = new float[count * half], sines = new float[count * half], rows = new float[checked(count * 4 * half)];
        _rotary.Fill(position, count, cosines, sines);
        for (int token = 0; token < count; token++)
        {
            Span<float> row = rows.AsSpan(token * 4 * half, 4 * half);
            cosines.AsSpan(token * half, half).CopyTo(row);
            cosines.AsSpan(token * half, half).CopyTo(row[half..]);
            sines.AsSpan(token * half, half).CopyTo(row[(3 * half)..]);
            for (int i = 0; i < half; i++)
            {
                row[2 * half + i] = -sines[token * half + i];            // the first half takes −sine of the second, which the swap puts there
            }
        }

        Tensor tensor = empty(count, 2, config.HeadSize);
        MemoryMarshal.AsBytes<float>(rows).CopyTo(tensor.bytes);
        return tensor;
    }
}
