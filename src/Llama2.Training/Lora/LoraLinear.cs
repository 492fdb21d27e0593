namespace Llama2.Training;

/// <summary>The adapter of one projection.</summary>
/// <param name="Key">What its dropped inputs depend on besides the pass: another number for every adapter.</param>
/// <param name="Column">Where its outputs begin among those of the matrix that it stands beside.</param>
/// <param name="Outputs">How many there are.</param>
/// <param name="A">The parameter of [rank, inputs].</param>
/// <param name="B">The parameter of [outputs, rank].</param>
internal sealed record LoraPair(ulong Key, int Column, int Outputs, Parameter A, Parameter B);

/// <summary>y = inner(x) + scale · drop(x) · Aᵀ · Bᵀ for each adapter, in its own columns of y.</summary>
internal sealed unsafe class LoraLinear(Linear inner, LoraOptions options, IReadOnlyList<LoraPair> pairs, ParameterStore store, LoraScratch scratch)
    : Linear(inner.Inputs, inner.Outputs)
{
    private readonly int _rank = options.Rank;

    public override void Forward(PassContext pass, int tokens, float* input, float* output)
    {
        inner.Forward(pass, tokens, input, output);
        foreach (LoraPair pair in pairs)
        {
            // low = scale · drop(x) · Aᵀ: [tokens, rank];  y += low · Bᵀ
            float* low = Low(pass, tokens, Dropped(pass, tokens, input, pair), pair), b = store.Values + pair.B.Offset;
            pass.Product.Multiply(
                tokens, pair.Outputs, _rank, new(low, _rank), Operand.Transposed(b, _rank), output + pair.Column, Outputs, accumulate: true);
        }
    }

    public override void Backward(PassContext pass, int tokens, float* input, float* outputGradient, float* inputGradient)
    {
        inner.Backward(pass, tokens, input, outputGradient, inputGradient);
        foreach (LoraPair pair in pairs)
        {
            float* dropped = Dropped(pass, tokens, input, pair), low = Low(pass, tokens, dropped, pair), dy = outputGradient + pair.Column;
            float* a = store.Values + pair.A.Offset, b = store.Values + pair.B.Offset, lowGradient = scratch.LowGradient(tokens * (long)_rank);

            // dB += dyᵀ · low;  d low = scale · dy · B;  dA += d lowᵀ · drop(x)
            pass.Product.Multiply(
                pair.Outputs, _rank, tokens, Operand.Transposed(dy, Outputs), new(low, _rank), store.Gradients + pair.B.Offset, _rank, accumulate: true);
            pass.Product.Multiply(tokens, _rank, pair.Outputs, new(dy, Outputs), new(b, _rank), lowGradient, _rank);
            ElementKernels.Scale(lowGradient, options.Scale, tokens * _rank);
            pass.Product.Multiply(
                _rank, Inputs, tokens, Operand.Transposed(lowGradient, _rank), new(dropped, Inputs), store.Gradients + pair.A.Offset, Inputs, accumulate: true);

            // dx += what was not dropped of d low · A
            if (dropped == input)
            {
                pass.Product.Multiply(tokens, Inputs, _rank, new(lowGradient, _rank), new(a, Inputs), inputGradient, Inputs, accumulate: true);
                continue;
            }

            pass.Product.Multiply(tokens, Inputs, _rank, new(lowGradient, _rank), new(a, Inputs), dropped, Inputs);
            Drop(pass, tokens, dropped, dropped, pair);
            pass.Workers.ForRows(tokens, 64, (first, count) =>
                ElementKernels.Add(dropped + (nint)first * Inputs, inputGradient + (nint)first * Inputs, (long)count * Inputs));
        }
    }

    private float* Low(PassContext pass, int tokens, float* dropped, LoraPair pair)
    {
        float* low = scratch.Low(tokens * (long)_rank), a = store.Values + pair.A.Offset;
        pass.Product.Multiply(tokens, _rank, Inputs, new(dropped, Inputs), Operand.Transposed(a, Inputs), low, _rank);
        ElementKernels.Scale(low, options.Scale, checked(tokens * _rank));
        return low;
    }

    private float* Dropped(PassContext pass, int tokens, float* input, LoraPair pair)
    {
        if (pass.DropoutKey is null || options.Dropout == 0)
        {
            return input;
        }

        float* dropped = scratch.Dropped(tokens * (long)Inputs);
        Drop(pass, tokens, input, dropped, pair);
        return dropped;
    }

    /// <summary>output = input ÷ (1 − dropout), or 0 with the probability dropout; which, depends on pass, adapter and place alone.</summary>
    private void Drop(PassContext pass, int tokens, float* input, float* output, LoraPair pair)
    {
        float keep = 1 / (1 - options.Dropout);
        uint limit = (uint)(options.Dropout * (double)uint.MaxValue);
        ulong key = new SplitMix64(pass.DropoutKey!.Value ^ (pair.Key * 0x9E3779B97F4A7C15)).Next();
        pass.Workers.ForRows(tokens, 64, (first, count) =>
        {
            for (int token = first; token < first + count; token++)
            {
                var random = new SplitMix64(key + (ulong)token * 0xD1B54A32D192ED03);
                nint row = (nint)token * Inputs;
                for (int i = 0; i < Inputs; i++)
                {
                    output[row + i] = (uint)random.Next() < limit ? 0 : input[row + i] * keep;
                }
            }
        });
    }
}

/// <summary>Buffers that all adapters of a model share, one after another.</summary>
internal sealed unsafe class LoraScratch : IDisposable
{
    private readonly ScratchMemory _low = new();
    private readonly ScratchMemory _lowGradient = new();
    private readonly ScratchMemory _dropped = new();

    public float* Low(long floats) => _low.Reserve(floats);

    public float* LowGradient(long floats) => _lowGradient.Reserve(floats);

    public float* Dropped(long floats) => _dropped.Reserve(floats);

    public void Dispose()
    {
        _low.Dispose();
        _lowGradient.Dispose();
        _dropped.Dispose();
    }
}
