namespace Llama2.Training;

/// <summary>What every step of a pass needs: the threads, the products, and whether this pass drops activations.</summary>
/// <param name="Product">The matrix products.</param>
/// <param name="DropoutKey">What the dropped activations of this pass depend on, or <see langword="null"/> for none.</param>
internal readonly record struct PassContext(MatrixProduct Product, ulong? DropoutKey)
{
    public WorkerGroup Workers => Product.Workers;
}

/// <summary>y = x · Wᵀ, with W of [outputs, inputs] trained, frozen or with an adapter beside it.</summary>
internal abstract unsafe class Linear(int inputs, int outputs)
{
    public int Inputs { get; } = inputs;

    public int Outputs { get; } = outputs;

    /// <summary>output = input · Wᵀ.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="input">x: [tokens, inputs].</param>
    /// <param name="output">y: [tokens, outputs].</param>
    public abstract void Forward(PassContext pass, int tokens, float* input, float* output);

    /// <summary>inputGradient = outputGradient · W; the gradient of W, where W is trained, grows by outputGradientᵀ · input.</summary>
    /// <param name="pass">The same pass.</param>
    /// <param name="tokens">Rows.</param>
    /// <param name="input">x: [tokens, inputs].</param>
    /// <param name="outputGradient">dy: [tokens, outputs].</param>
    /// <param name="inputGradient">dx: [tokens, inputs].</param>
    public abstract void Backward(PassContext pass, int tokens, float* input, float* outputGradient, float* inputGradient);
}

/// <summary>A matrix that is trained.</summary>
internal sealed unsafe class TrainedLinear(int inputs, int outputs, float* weight, float* gradient) : Linear(inputs, outputs)
{
    public override void Forward(PassContext pass, int tokens, float* input, float* output) =>
        pass.Product.Multiply(tokens, Outputs, Inputs, new(input, Inputs), Operand.Transposed(weight, Inputs), output, Outputs);

    public override void Backward(PassContext pass, int tokens, float* input, float* outputGradient, float* inputGradient)
    {
        pass.Product.Multiply(tokens, Inputs, Outputs, new(outputGradient, Outputs), new(weight, Inputs), inputGradient, Inputs);
        pass.Product.Multiply(
            Outputs, Inputs, tokens, Operand.Transposed(outputGradient, Outputs), new(input, Inputs), gradient, Inputs, accumulate: true);
    }
}

/// <summary>A matrix that stays as it is, in its own format; rows are decoded a stripe at a time.</summary>
internal sealed unsafe class FrozenLinear(FrozenMatrix matrix) : Linear(matrix.Columns, matrix.Rows)
{
    public override void Forward(PassContext pass, int tokens, float* input, float* output)
    {
        for (int row = 0; row < matrix.Rows; row += matrix.StripeRows)
        {
            int rows = Math.Min(matrix.StripeRows, matrix.Rows - row);
            float* stripe = matrix.Stripe(pass.Workers, row, rows);
            pass.Product.Multiply(tokens, rows, Inputs, new(input, Inputs), Operand.Transposed(stripe, Inputs), output + row, Outputs);
        }
    }

    public override void Backward(PassContext pass, int tokens, float* input, float* outputGradient, float* inputGradient)
    {
        for (int row = 0; row < matrix.Rows; row += matrix.StripeRows)
        {
            int rows = Math.Min(matrix.StripeRows, matrix.Rows - row);
            float* stripe = matrix.Stripe(pass.Workers, row, rows);
            pass.Product.Multiply(
                tokens, Inputs, rows, new(outputGradient + row, Outputs), new(stripe, Inputs), inputGradient, Inputs, accumulate: row > 0);
        }
    }
}
