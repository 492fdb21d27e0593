namespace Llama2.Training;

/// <summary>One transformer block: attention and feed-forward, each behind a norm and beside the residual stream.</summary>
/// <param name="Config">The shape.</param>
/// <param name="AttentionNorm">The norm before attention.</param>
/// <param name="QueryKeyValue">The three projections as one matrix: [queries + keys + values, hidden].</param>
/// <param name="AttentionOutput">[hidden, queries].</param>
/// <param name="FeedForwardNorm">The norm before the feed-forward part.</param>
/// <param name="GateUp">Both projections as one matrix: [2 · ffn, hidden].</param>
/// <param name="Down">[hidden, ffn].</param>
internal sealed unsafe record Block(
    LlamaConfig Config, NormWeight AttentionNorm, Linear QueryKeyValue, Linear AttentionOutput, NormWeight FeedForwardNorm, Linear GateUp, Linear Down)
{
    /// <param name="pass">The pass.</param>
    /// <param name="batch">The sequences.</param>
    /// <param name="steps">Attention and rotary angles.</param>
    /// <param name="input">The residual stream: [tokens, hidden].</param>
    /// <param name="kept">What the way back needs; filled here.</param>
    /// <param name="output">The residual stream behind the block: [tokens, hidden].</param>
    public void Forward(PassContext pass, TrainingBatch batch, BlockSteps steps, float* input, BlockActivations kept, float* output)
    {
        (int tokens, int hidden, float epsilon) = (batch.Tokens.Length, Config.HiddenSize, Config.RmsNormEpsilon);

        // middle = input + attention(norm(input)) · Woᵀ
        RmsNorm.Forward(pass.Workers, tokens, hidden, epsilon, input, AttentionNorm.Value, kept.Normed, kept.NormScales);
        QueryKeyValue.Forward(pass, tokens, kept.Normed, kept.Heads);
        Rotary.Forward(pass.Workers, batch, steps.Angles, kept.Heads, Config.HeadCount + Config.KeyValueHeadCount, steps.Attention.Stride);
        steps.Attention.Forward(batch, kept.Heads, kept.Attended, kept.LogSums);
        AttentionOutput.Forward(pass, tokens, kept.Attended, kept.Middle);
        AddRows(pass, tokens, input, kept.Middle);

        // output = middle + swiglu(norm(middle)) · Wdownᵀ
        RmsNorm.Forward(pass.Workers, tokens, hidden, epsilon, kept.Middle, FeedForwardNorm.Value, kept.MiddleNormed, kept.MiddleNormScales);
        GateUp.Forward(pass, tokens, kept.MiddleNormed, kept.GateUp);
        SwiGlu.Forward(pass.Workers, tokens, Config.IntermediateSize, kept.GateUp, kept.Gated);
        Down.Forward(pass, tokens, kept.Gated, output);
        AddRows(pass, tokens, kept.Middle, output);
    }

    /// <summary>Every step of <see cref="Forward"/> backwards; a residual connection adds its branch's gradient to the stream's.</summary>
    /// <param name="pass">The same pass.</param>
    /// <param name="batch">The sequences.</param>
    /// <param name="steps">Attention and rotary angles.</param>
    /// <param name="input">The residual stream before the block.</param>
    /// <param name="kept">What <see cref="Forward"/> filled.</param>
    /// <param name="gradients">Its residual is of the block's output before, of its input afterwards.</param>
    public void Backward(PassContext pass, TrainingBatch batch, BlockSteps steps, float* input, BlockActivations kept, BlockGradients gradients)
    {
        (int tokens, int hidden) = (batch.Tokens.Length, Config.HiddenSize);

        // output = middle + swiglu(norm(middle)) · Wdownᵀ
        Down.Backward(pass, tokens, kept.Gated, gradients.Residual, gradients.Gated);
        SwiGlu.Backward(pass.Workers, tokens, Config.IntermediateSize, kept.GateUp, gradients.Gated, gradients.GateUp);
        GateUp.Backward(pass, tokens, kept.MiddleNormed, gradients.GateUp, gradients.Normed);
        RmsNorm.Backward(
            pass.Workers, tokens, hidden, kept.Middle, FeedForwardNorm.Value, kept.MiddleNormScales,
            gradients.Normed, gradients.Residual, FeedForwardNorm.Gradient);

        // middle = input + attention(norm(input)) · Woᵀ
        AttentionOutput.Backward(pass, tokens, kept.Attended, gradients.Residual, gradients.Attended);
        steps.Attention.Backward(batch, kept.Heads, kept.Attended, kept.LogSums, gradients.Attended, gradients.Heads);
        Rotary.Backward(pass.Workers, batch, steps.Angles, gradients.Heads, Config.HeadCount + Config.KeyValueHeadCount, steps.Attention.Stride);
        QueryKeyValue.Backward(pass, tokens, kept.Normed, gradients.Heads, gradients.Normed);
        RmsNorm.Backward(
            pass.Workers, tokens, hidden, input, AttentionNorm.Value, kept.NormScales, gradients.Normed, gradients.Residual, AttentionNorm.Gradient);
    }

    private void AddRows(PassContext pass, int tokens, float* addend, float* sum) => pass.Workers.ForRows(tokens, 64, (first, count) =>
        ElementKernels.Add(addend + (nint)first * Config.HiddenSize, sum + (nint)first * Config.HiddenSize, (long)count * Config.HiddenSize));
}

/// <summary>The weight of a norm, and where its gradient goes; no gradient where it is frozen.</summary>
internal readonly unsafe struct NormWeight(float* value, float* gradient)
{
    public float* Value { get; } = value;

    public float* Gradient { get; } = gradient;
}

/// <summary>What all blocks of a model share.</summary>
internal sealed record BlockSteps(Attention Attention, RotaryAngles Angles) : IDisposable
{
    public void Dispose()
    {
        Attention.Dispose();
        Angles.Dispose();
    }
}
